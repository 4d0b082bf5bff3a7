"""What models wrote and what web pages said is text, and never runs in the reader's browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Dialog, Error, Page, Request
from scored import episode, turn
from served import serving
from small_runs import small_recipe

from agentgym import store
from agentgym.trainers import config
from agentgym.types import Episode, EpisodeId, ErrorInfo, Observation, Status

pytestmark = pytest.mark.browser

RUN = "(window.hits=window.hits||[]).push(1)"
RUN_ABOVE = RUN.replace("window", "parent")
PAYLOADS = (
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<body onload={RUN}>",
    f"<iframe srcdoc='<script>{RUN_ABOVE}</script>'></iframe>",
    f"<iframe src=javascript:{RUN_ABOVE}></iframe>",
    f"<a href=javascript:{RUN} autofocus>x</a>",
    f"<input autofocus onfocus={RUN}>",
    f"<details open ontoggle={RUN}>",
    f"<video><source onerror={RUN}></video>",
    f"<math><mi xlink:href=javascript:{RUN}>x</mi></math>",
    "<style>@import 'http://127.0.0.1:1/x';*{background:url(http://127.0.0.1:1/y)}</style>",
    "<link rel=stylesheet href=http://127.0.0.1:1/z>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:1/'>",
    "<base href=http://127.0.0.1:1/><form action=/x><button autofocus>",
    f"\"'><img src=x onerror={RUN}>",
    f"</title></textarea></script><script>{RUN}</script>",
    f"javascript:{RUN}",
    f"{{{{constructor.constructor('{RUN}')()}}}}",
    "<object data=http://127.0.0.1:1/o></object><embed src=http://127.0.0.1:1/e>",
    "<img src=http://127.0.0.1:1/beacon>",
    "\u202e\u0000\u2028</script>",
)


def hostile(payload: str, member: int) -> Episode:
    """An episode with this text in every field that holds text."""
    seen = Observation(text=payload, choices=(payload, payload), key=payload, state=payload)
    did = replace(
        turn("x", "y"),
        text=payload,
        action=payload,
        observation=seen,
        channels={payload: 1.0},
        prompt_ids=(member,),
        action_ids=(member,),
    )
    failed = replace(did, action=None, invalid=payload)
    return replace(
        episode([did, failed], 0.5),
        id=EpisodeId(step=0, group=0, member=member),
        task_id=payload,
        panel_hash=payload,
        env=payload,
        system_prompt=payload,
        first=seen,
        error=ErrorInfo(
            type=payload, phase=payload, message=payload, action=payload, trace=payload
        ),
        advantages=(0.5, -0.5),
        status=Status.FAILURE,
    )


@pytest.fixture(scope="module")
def hostile_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A run whose name, recipe, tokens and episodes are all hostile."""
    from tokenizers import Tokenizer, models

    name = "<img src=x onerror=window.hits=1>"
    folder = tmp_path_factory.mktemp("hostile") / name
    episodes = [hostile(payload, number) for number, payload in enumerate(PAYLOADS)]
    store.write_episodes(folder / "episodes" / "step-000000.parquet", episodes)
    odd = folder / "episodes" / f"{name}.parquet"
    odd.write_bytes(b"not a Parquet file")
    recipe = small_recipe("tiny", title="\n".join(PAYLOADS))
    store.write_text(folder / "config.yaml", config.dump(recipe))
    vocabulary = {payload: number for number, payload in enumerate(PAYLOADS)}
    checkpoint = folder / "checkpoints" / "step-000000"
    checkpoint.mkdir(parents=True)
    Tokenizer(models.WordLevel(vocabulary, unk_token=PAYLOADS[0])).save(
        str(checkpoint / "tokenizer.json")
    )
    with serving(folder) as found:
        yield found


class Watch:
    """What a page tried that no text of an episode may make it try."""

    def __init__(self, page: Page, port: int) -> None:
        self.outside: list[str] = []
        self.dialogs: list[str] = []
        self._page = page
        self._own = f"127.0.0.1:{port}"
        page.on("request", self._on_request)
        page.on("dialog", self._on_dialog)
        page.add_init_script(
            "window.violations = []; document.addEventListener('securitypolicyviolation',"
            "event => window.violations.push(event.violatedDirective + ' ' + event.blockedURI))"
        )

    def _on_request(self, request: Request) -> None:
        if urlsplit(request.url).netloc != self._own:
            self.outside.append(request.url)

    def _on_dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def found(self) -> dict[str, object]:
        """Everything at once, so that a failure shows all of it."""
        return {
            "hits": self._page.evaluate("window.hits ?? null"),
            "violations": self._page.evaluate("window.violations"),
            "outside": self.outside,
            "dialogs": self.dialogs,
        }


NOTHING: dict[str, object] = {"hits": None, "violations": [], "outside": [], "dialogs": []}


def test_hostile_text_stays_text_in_every_field_of_every_view(
    page: Page, hostile_port: int
) -> None:
    watch = Watch(page, hostile_port)
    home = f"http://127.0.0.1:{hostile_port}/"
    page.goto(f"{home}#/0")
    page.locator("[data-ready=episodes]").wait_for()
    page.locator(".recipe summary").click()
    assert PAYLOADS[0] in page.locator(".recipe pre").inner_text()
    for member, payload in enumerate(PAYLOADS):
        for view, number in (("turn", 0), ("turn", 2), ("graph", 1)):
            page.goto(f"{home}#/0/step-000000/0?member={member}&view={view}&turn={number}")
            page.locator(f"[data-ready={view}]").wait_for()
            page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")
            assert payload in (page.locator("main").text_content() or "")
    page.goto(f"{home}#/0/step-000000/0?view=side")
    page.locator("[data-ready=side]").wait_for()
    shown = page.locator("main").text_content() or ""
    assert all(payload in shown for payload in PAYLOADS)
    page.goto(f"{home}#/0/{'%3Cimg src=x onerror=window.hits=1%3E'}/0")
    page.get_by_role("alert").wait_for()
    page.goto(f"{home}#/0?q=%3Cimg+src%3Dx+onerror%3Dwindow.hits%3D1%3E:1&status=%3Cscript%3E")
    page.locator("[data-ready=episodes]").wait_for()
    assert watch.found() == NOTHING


def test_the_watch_notices_what_the_page_must_not_do(page: Page, hostile_port: int) -> None:
    """The same payloads, put into a page without our policy: the positive control."""
    watch = Watch(page, hostile_port)
    page.route("**/unguarded", lambda route: route.fulfill(body="<p>", content_type="text/html"))
    page.goto(f"http://127.0.0.1:{hostile_port}/unguarded")
    for payload in PAYLOADS:
        if "http-equiv" in payload:
            continue  # it leaves the page, and with it the place to look
        page.evaluate(
            "payload => { const box = document.createElement('div'); document.body.append(box);"
            " box.innerHTML = payload }",
            payload,
        )
    page.wait_for_function("window.hits?.length >= 5")
    assert any("127.0.0.1:1/" in url for url in watch.outside)


def test_the_policy_stops_what_would_get_past_the_page(page: Page, hostile_port: int) -> None:
    watch = Watch(page, hostile_port)
    page.goto(f"http://127.0.0.1:{hostile_port}/#/0")
    page.locator("[data-ready=episodes]").wait_for()
    with pytest.raises(Error, match="TrustedHTML"):
        page.evaluate("payload => { document.body.innerHTML = payload }", PAYLOADS[1])
    blocked = page.evaluate(
        "fetch('http://127.0.0.1:1/').then(() => 'sent', error => String(error))"
    )
    assert "Failed to fetch" in blocked
    with pytest.raises(Error, match="TrustedScript"):
        page.evaluate("() => document.body.setAttribute('onclick', 'window.hits = 1')")
    page.evaluate(
        "() => { const image = document.createElement('img');"
        " image.src = 'http://127.0.0.1:1/beacon.png'; document.body.append(image) }"
    )
    page.wait_for_function("window.violations.length >= 2")
    found = watch.found()
    assert found["hits"] is None
    assert "connect-src http://127.0.0.1:1/" in str(found["violations"])
    assert "img-src http://127.0.0.1:1/beacon.png" in str(found["violations"])
