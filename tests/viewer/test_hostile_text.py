"""What models wrote and what web pages said is text, and never runs in the reader's browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Error, Page
from served import serving
from watched import NOTHING, PAYLOADS, Watch, drawn, until, write_hostile

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def hostile_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where the hostile run is served."""
    with serving(write_hostile(tmp_path_factory.mktemp("hostile"))) as found:
        yield found


def watched(page: Page, port: int) -> Watch:
    """A watch on a page that only this server may feed."""
    return Watch(page, f"http://127.0.0.1:{port}/")


def test_hostile_text_stays_text_in_every_field_of_every_view(
    page: Page, hostile_port: int
) -> None:
    watch = watched(page, hostile_port)
    home = f"http://127.0.0.1:{hostile_port}/"
    page.goto(f"{home}#/0")
    page.locator("[data-ready=episodes]").wait_for()
    for member, payload in enumerate(PAYLOADS):
        for number in (0, 2):
            page.goto(f"{home}#/0/step-000000/0?member={member}&view=turn&turn={number}")
            page.locator("[data-ready=turn]").wait_for()
            page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")
            assert payload in (page.locator("main").text_content() or "")
    for group, each in enumerate(drawn(), 1):
        page.goto(f"{home}#/0/step-000000/{group}?view=turn&turn=2&shade=%3Cb%3E")
        page.locator("[data-ready=turn]").wait_for()
        page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")
        shown = page.locator("main").text_content() or ""
        assert [each.env, *(payload for payload in PAYLOADS if payload not in shown)] == [each.env]
    assert page.locator(".gui .clicked").count() == 1, "pages are drawn, and not told as text"
    whole, first = PAYLOADS, PAYLOADS[:1]  # YAML escapes some, and search cuts long ones
    for where, view, expected in (
        ("0/step-000000/0", "side", whole),
        ("0/step-000000/0", "graph", whole),
        ("0", "compare", whole),
        ("0", "failures", whole),
        ("0", "provenance", first),
        ("0", "search&text=%3C", first),
    ):
        page.goto(f"{home}#/{where}?view={view}")
        page.locator(f"[data-ready={view.partition('&')[0]}]").wait_for()
        shown = page.locator("main").text_content() or ""
        assert [payload for payload in expected if payload not in shown] == []
    page.goto(f"{home}#/0/{'%3Cimg src=x onerror=window.hits=1%3E'}/0")
    page.get_by_role("alert").wait_for()
    text = "%3Cimg+src%3Dx+onerror%3Dwindow.hits%3D1%3E"
    page.goto(f"{home}#/0?q={text}:1&status={text}&turns={text}..{text}&sort={text}")
    page.locator("[data-ready=episodes]").wait_for()
    assert watch.found() == NOTHING


def test_the_watch_notices_what_the_page_must_not_do(page: Page, hostile_port: int) -> None:
    """The same payloads, put into a page without our policy: the positive control."""
    watch = watched(page, hostile_port)
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
    until(page, "window.hits?.length >= 5")
    assert any("127.0.0.1:1/" in url for url in watch.outside)


def test_the_policy_stops_what_would_get_past_the_page(page: Page, hostile_port: int) -> None:
    watch = watched(page, hostile_port)
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
    until(page, "window.violations.length >= 2")
    found = watch.found()
    assert found["hits"] is None
    assert "connect-src http://127.0.0.1:1/" in str(found["violations"])
    assert "img-src http://127.0.0.1:1/beacon.png" in str(found["violations"])
