"""Who may ask, and what the answer may do: the checks and headers around every response.

Other pages in the reader's browser can send requests to a loopback port, and a name that someone
else controls can resolve to it. So a request must call us by our own address (`Host`), and must
not come from a page of another origin.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Scripts come from our own file alone, and no text can become one: episodes hold what a model
wrote and what web pages said."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
FORM_HEADERS = HEADERS | {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    # Without a referrer, browsers post from the origin "null".
    "Referrer-Policy": "same-origin",
}
"""For pages without a script, whose buttons post."""
OWN_SITES = (None, "same-origin", "none")
"""Values of `Sec-Fetch-Site` for a request by our page, by the address bar, or by no browser."""


class Guard:
    """An ASGI application around another one."""

    def __init__(self, app: ASGIApp, *, port: int, headers: Mapping[str, str] = HEADERS) -> None:
        """Let in what was sent to this port of the loopback address.

        Args:
            headers: of every answer.
        """
        self._app = app
        self._headers = headers
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        if port == 80:
            self._hosts |= {"127.0.0.1", "localhost"}  # browsers leave out the default port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        assert scope["type"] == "http", "the server speaks nothing else"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        refusal = self._refusal(Headers(scope=scope), path=scope["path"])
        app = self._app if refusal is None else PlainTextResponse(refusal, status_code=403)
        await app(scope, receive, send_with_headers)

    def _refusal(self, headers: Headers, *, path: str) -> str | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return f"this server answers to {' and '.join(sorted(self._hosts))} only\n"
        if any(origin != f"http://{hosts[0]}" for origin in headers.getlist("origin")):
            return "requests from pages of another origin are refused\n"
        # A link to the page may stand anywhere; data is for the page alone.
        if path != "/" and headers.get("sec-fetch-site") not in OWN_SITES:
            return "requests from pages of another site are refused\n"
        return None
