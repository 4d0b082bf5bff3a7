"""An exported file: the same page from disk; no server, no network, no script but its own."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect
from watched import NOTHING, PAYLOADS, Watch, until, write_hostile

from agentgym import store
from agentgym.cli import main

pytestmark = pytest.mark.browser


def exported(run: Path, file: Path, *options: str) -> str:
    """The address of a run's export."""
    assert main(["export", str(run), "--html", str(file), *options]) == 0
    return file.as_uri()


@pytest.fixture
def offline(browser: Browser) -> Iterator[Page]:
    """A page that reaches nothing but the disk."""
    context = browser.new_context(offline=True)
    yield context.new_page()
    context.close()


def visit(page: Page, address: str, ready: str) -> None:
    page.goto(address)
    page.locator(f"[data-ready={ready}]").wait_for()


def test_a_file_from_disk_shows_what_the_server_shows(
    offline: Page, stored: Path, tmp_path: Path
) -> None:
    file = exported(stored, tmp_path / "run.html", "--step", "1", "--status", "failure")
    failed = [
        e
        for e in store.read_episodes(stored / "episodes" / "step-000001.parquet")
        if e.status == "failure"
    ]
    visit(offline, f"{file}#/0", "episodes")
    expect(offline.locator(".summary")).to_contain_text(f"{len(failed)} episodes")
    offline.keyboard.press("Enter")
    offline.locator("[data-ready=side]").wait_for()
    expect(offline.locator(".tick")).to_contain_text("recomputed: difference 0")
    offline.keyboard.press("2")
    expect(offline.locator(".numbers .big .number")).to_be_visible()
    offline.keyboard.press("3")
    offline.locator("[data-ready=graph]").wait_for()
    visit(offline, f"{file}#/0?view=search&text=click", "search")
    expect(offline.locator(".found .summary")).to_contain_text("texts of")
    visit(offline, f"{file}#/0?view=failures", "failures")
    expect(offline.get_by_label("The model's")).to_contain_text("100.0%")
    offline.goto(f"{file}#/0/step-000000/0")
    expect(offline.get_by_role("alert")).to_contain_text("this was not exported")


def test_pictures_are_in_the_file(offline: Page, others: list[Path], tmp_path: Path) -> None:
    file = exported(others[0], tmp_path / "run.html")
    visit(offline, f"{file}#/0/eval-000000/3?view=turn&turn=2", "turn")
    image = offline.get_by_label("Saw").locator("img")
    assert image.evaluate("async e => { await e.decode(); return e.naturalWidth }") == 8


def test_hostile_text_stays_text_in_an_exported_file(page: Page, tmp_path: Path) -> None:
    folder = write_hostile(tmp_path)
    file = exported(folder, tmp_path / "run.html")
    watch = Watch(page, file)
    for where, view in (
        ("0", "episodes"),
        ("0/step-000000/0", "side"),
        ("0/step-000000/0", "turn"),
        ("0", "failures"),
    ):
        visit(page, f"{file}#/{where}?view={view}", view)
        shown = page.locator("main").text_content() or ""
        expected = PAYLOADS[:1] if view == "turn" else PAYLOADS
        assert [payload for payload in expected if payload not in shown] == []
    assert watch.found() == NOTHING


def test_the_policy_of_an_exported_file_stops_scripts_and_requests(
    page: Page, stored: Path, tmp_path: Path
) -> None:
    """The positive control: what would have run, does not even from the page's own console."""
    file = exported(stored, tmp_path / "run.html", "--step", "1")
    watch = Watch(page, file)
    visit(page, file, "episodes")
    with pytest.raises(Error, match="TrustedHTML"):
        page.evaluate("payload => { document.body.innerHTML = payload }", PAYLOADS[1])
    sent = page.evaluate("fetch('http://127.0.0.1:1/').then(() => 'sent', error => String(error))")
    assert "Failed to fetch" in sent
    page.evaluate(
        "() => { const script = document.createElement('script');"
        " script.append('window.hits = [1]'); document.body.append(script) }"
    )
    until(page, "window.violations.length >= 3")
    assert watch.found()["hits"] is None
    unguarded = re.sub("<meta http-equiv[^>]*>", "", (tmp_path / "run.html").read_text("utf-8"))
    bare = tmp_path / "bare.html"
    bare.write_text(unguarded.replace("<noscript>", f"{PAYLOADS[1]}<noscript>"), encoding="utf-8")
    visit(page, bare.as_uri(), "episodes")
    until(page, "window.hits?.length >= 1")


def test_the_only_script_is_the_page_and_its_digest_is_named(stored: Path, tmp_path: Path) -> None:
    exported(stored, tmp_path / "run.html", "--step", "1")
    text = (tmp_path / "run.html").read_text(encoding="utf-8")
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", text, re.DOTALL)
    assert [attributes for attributes, _ in scripts] == [
        ' type="application/json" id="archive"',
        ' type="module"',
    ]
    digest = base64.b64encode(hashlib.sha256(scripts[1][1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert str(tmp_path) not in text and str(stored) not in text


def test_an_export_of_nothing_says_what_was_asked_for(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*words: str) -> str:
        assert main(["export", str(stored), *words]) == 2
        return capsys.readouterr().err

    file = str(tmp_path / "run.html")
    assert "(asked for: step 7, status success)" in fails(
        "--html", file, "--step", "7", "--status", "success"
    )
    assert not Path(file).exists()
    assert "cannot be written" in fails("--html", "/proc/none/run.html")


def test_two_exports_of_a_run_are_equal(stored: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        exported(stored, tmp_path / name, "--step", "0")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
