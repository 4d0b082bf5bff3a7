"""The browser: what it does, what bounds it, and that a page reaches its own site alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from pages import ORIGIN, Pages

from agentgym.browser import Answer, Asked, Gesture
from agentgym.errors import DeadlineError, SandboxError, UsageError
from agentgym.sandboxes.browser import Chromium, Deadlines
from agentgym.sandboxes.chromium import find_chromium
from agentgym.sandboxes.gate import Gate, origin_of, parse_head

pytestmark = pytest.mark.browser

FORM = "<form method=post action=/two><input name=q id=q><button id=go>go</button></form>"
TROUBLE = """
<button id=alerts onclick="for (let i = 0; i < 8; i++) alert('no ' + i)">alerts</button>
<button id=popups onclick="for (let i = 0; i < 4; i++) window.open('/popup')">popups</button>
<a id=download href=/file download>download</a>
<button id=asks onclick="navigator.geolocation.getCurrentPosition(() => {}, () => {});
  Notification.requestPermission(); document.title = 'asked'">asks</button>
<input id=file type=file>
<button id=leaves onclick="location = '/nothing'">leaves</button>
<script>setInterval(() => document.body.append('.'), 1)</script>
"""
PAGES: dict[str, str | Answer] = {
    "/": FORM,
    "/two": "<p>two</p><a id=back href=/>back</a>",
    "/trouble": TROUBLE,
    "/popup": "<script>open('/popup')</script>",
    "/hover": "<style>b {display: block} b:hover {color: red}</style><b id=b>x</b>",
    "/guarded": "<b id=b style='display: block' onmouseleave=\"location = '/two'\">x</b>",
    "/long": "<div style='height: 100px; overflow: scroll' id=box>" + "line<br>" * 100 + "</div>",
    "/password": "<input type=password id=word value=secret>",
    "/focus": "<link rel=stylesheet href=/style><input id=word autofocus><a id=again href=/focus>"
    "again</a>",
    "/later": "<script>setTimeout(() => location = '/two', 500)</script>",
    "/framed": "<iframe src=/two style='display: none'></iframe>",
    "/style": Answer(body=b"a {display: block}", media_type="text/css"),
    "/file": Answer(body=b"x" * 1000, media_type="application/octet-stream"),
    "/nothing": Answer(status=204),
    "/auth": Answer(status=401, body=b"no"),
}


@pytest.fixture(autouse=True, scope="module")
def needs_chromium() -> None:
    try:
        find_chromium()
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture
def site() -> Pages:
    return Pages(PAGES)


@pytest.fixture
def tab(site: Pages) -> Iterator[Chromium]:
    deadlines = Deadlines(call_s=2, act_s=4, settle_s=0.5)
    with Chromium(sites={ORIGIN: site}, deadlines=deadlines) as found:
        yield found


def click(tab: Chromium, name: str) -> tuple[str, ...]:
    """Click on the element of that id."""
    x, y = tab.call(
        "id => {const box = document.getElementById(id).getBoundingClientRect();"
        "return [box.x + box.width / 2, box.y + box.height / 2]}",
        name,
    )
    return tab.act(Gesture(kind="click", x=x, y=y))


def test_a_form_is_filled_in_and_sent_and_back_leads_back(tab: Chromium, site: Pages) -> None:
    for _ in range(3):
        tab.open(f"{ORIGIN}/")
        click(tab, "q")
        tab.act(Gesture(kind="type", text="tea & milk"))
        assert click(tab, "go") == ()
        assert tab.call("() => document.body.innerText").startswith("two")
        tab.act(Gesture(kind="back"))
        assert tab.call("() => location.pathname") == "/"
    assert site.asked.count("POST /two") == 3


def test_each_tab_has_storage_of_its_own(site: Pages) -> None:
    for _ in range(2):
        with Chromium(sites={ORIGIN: site}) as tab:
            tab.open(f"{ORIGIN}/")
            assert tab.call("() => document.cookie + JSON.stringify(localStorage)") == "{}"
            tab.call("() => {document.cookie = 'a=1'; localStorage.b = 2}")


def test_time_passes_only_while_something_is_done(site: Pages) -> None:
    with Chromium(sites={ORIGIN: site}, tick_ms=1000) as tab:
        tab.open(f"{ORIGIN}/")
        tab.call("() => {window.count = 0; setInterval(() => window.count += 1, 100)}")
        time.sleep(0.3)
        assert tab.call("() => window.count") == 0
        tab.act()
        assert tab.call("() => window.count") == 10


def test_time_begins_anew_with_each_page(site: Pages) -> None:
    with Chromium(sites={ORIGIN: site}, tick_ms=1000) as tab:
        begun = []
        for _ in range(3):
            tab.open(f"{ORIGIN}/")
            begun.append(tab.call("() => Date.now()"))
            tab.act()
        assert len(set(begun)) == 1


def test_the_mouse_leaves_the_page(tab: Chromium) -> None:
    tab.open(f"{ORIGIN}/hover")
    red = "() => getComputedStyle(document.getElementById('b')).color === 'rgb(255, 0, 0)'"
    click(tab, "b")
    assert tab.call(red)
    tab.leave()
    assert not tab.call(red)


def test_what_a_page_says_once_it_was_left_is_not_told(site: Pages) -> None:
    with Chromium(sites={ORIGIN: site}, tick_ms=1000) as tab:
        for leave, notes in ((False, ('the page said: "late"',)), (True, ())):
            tab.open(f"{ORIGIN}/")
            tab.call("() => {setTimeout(() => alert('late'), 1500)}")
            assert tab.act() == ()
            if leave:
                tab.leave()
                tab.open(f"{ORIGIN}/two")
            assert tab.act() == notes


@pytest.mark.parametrize("tick_ms", [None, 1000])
def test_what_comes_after_the_mouse_has_left_waits_for_what_that_does(
    site: Pages, tick_ms: int | None
) -> None:
    path = "() => location.pathname"
    with Chromium(sites={ORIGIN: site}, tick_ms=tick_ms) as tab:
        for later in (
            lambda: tab.call(path),
            lambda: tab.act() or tab.call(path),
            lambda: tab.picture() and tab.call(path),
        ):
            tab.open(f"{ORIGIN}/guarded")
            click(tab, "b")
            tab.leave()
            assert later() == "/two"
        tab.open(f"{ORIGIN}/guarded")
        tab.leave()
        with pytest.raises(SandboxError, match="no such luck"):
            tab.call("() => {throw new Error('no such luck')} // whatever")
        assert tab.call("word => word", "fine") == "fine"


def test_how_far_a_selection_scrolls_is_not_left_to_chance(tab: Chromium) -> None:
    """The box would scroll with every frame in which the mouse is held below it."""
    tab.open(ORIGIN + "/long")
    for _ in range(5):
        tab.act(Gesture(kind="drag", x=20, y=20, to_x=20, to_y=300))
        assert tab.call("() => box.scrollTop") == 0
    assert "line" in tab.call("() => getSelection().toString()")


def test_a_password_that_is_selected_can_be_dragged_about_in_vain(tab: Chromium) -> None:
    tab.open(f"{ORIGIN}/password")
    click(tab, "word")
    tab.call("() => document.getElementById('word').select()")
    tab.act(Gesture(kind="drag", x=20, y=20, to_x=90, to_y=90))
    assert tab.call("() => document.getElementById('word').value") == "secret"


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("alerts", 'the page said: "no 7"'),
        ("popups", "a new window was closed"),
        ("download", "a download was refused"),
        ("asks", None),
        ("file", "the page asked for a file and got none"),
        ("leaves", None),
    ],
)
def test_what_would_stop_a_person_stops_nothing(tab: Chromium, name: str, note: str | None) -> None:
    """On a page that is never idle."""
    tab.open(f"{ORIGIN}/trouble")
    notes = list(click(tab, name))
    for _ in range(20):  # a window may take its time to open
        if note is None or note in notes:
            break
        time.sleep(0.05)
        notes += tab.act()
    assert note is None or note in notes
    assert len(notes) <= 5
    assert tab.call("() => location.pathname") == "/trouble"


def test_what_asks_for_the_focus_has_it_before_a_page_is_looked_at(tab: Chromium) -> None:
    """It gets it with the first picture, which may come after the page has loaded."""
    focus = "() => document.activeElement.id"
    for _ in range(5):
        tab.open(f"{ORIGIN}/focus")
        assert tab.call(focus) == "word"
        click(tab, "again")
        assert tab.call(focus) == "word"


def test_a_hidden_frame_which_is_never_drawn_is_not_waited_for(site: Pages) -> None:
    with Chromium(sites={ORIGIN: site}, tick_ms=1000, deadlines=Deadlines(act_s=5)) as tab:
        tab.open(f"{ORIGIN}/framed")
        assert tab.act() == ()


@pytest.mark.parametrize("name", ["download", "leaves"])
def test_what_leads_to_no_page_is_not_waited_for(site: Pages, name: str) -> None:
    deadlines = Deadlines(act_s=20, settle_s=60)
    with Chromium(sites={ORIGIN: site}, deadlines=deadlines) as tab:
        tab.open(f"{ORIGIN}/trouble")
        click(tab, name)
        assert tab.call("() => location.pathname") == "/trouble"


def test_a_page_whose_server_takes_its_time_is_waited_for(site: Pages) -> None:
    """A timer leads to it: what a gesture leads to at once, Playwright waits for."""

    def take_time(asked: Asked) -> Answer:
        time.sleep(1 if asked.path == "/two" else 0)
        return site(asked)

    deadlines = Deadlines(settle_s=0.3)
    with Chromium(sites={ORIGIN: take_time}, tick_ms=1000, deadlines=deadlines) as tab:
        tab.open(f"{ORIGIN}/later")
        tab.act()
        assert tab.call("() => location.pathname") == "/two"


def test_a_page_that_hangs_meets_the_deadline(tab: Chromium) -> None:
    tab.open(f"{ORIGIN}/")
    began = time.monotonic()
    with pytest.raises(DeadlineError, match="a call in the page took longer than 2 s"):
        tab.call("() => {for (;;);}")
    assert time.monotonic() - began < 8


def test_a_renderer_that_dies_is_an_error_of_the_sandbox(site: Pages) -> None:
    with Chromium(sites={ORIGIN: site}, deadlines=Deadlines(call_s=3, open_s=5)) as tab:
        tab.open(f"{ORIGIN}/")
        with pytest.raises((SandboxError, DeadlineError)):
            tab.open("chrome://crash")
        with pytest.raises((SandboxError, DeadlineError)):
            tab.call("() => 1")
    with Chromium(sites={ORIGIN: site}) as tab:
        tab.open(f"{ORIGIN}/")


@pytest.mark.parametrize("path", ["/auth", "/missing"])
def test_a_page_that_is_not_there_is_an_error(tab: Chromium, path: str) -> None:
    with pytest.raises(SandboxError, match=r"status 40[14]|RESPONSE_CODE_FAILURE"):
        tab.open(f"{ORIGIN}{path}")


def test_a_wrong_origin_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'http://a.test/' is no origin; write 'http://a.test'"):
        Gate({"http://a.test/": None})
    for address in ("ftp://a.test", "http://", "http://a:b", "file:///etc/passwd", "http://[::"):
        with pytest.raises(UsageError, match="no web address"):
            origin_of(address)
    assert origin_of("https://user:word@A.test:443/x") == "https://a.test"


@pytest.mark.parametrize("raw", [b"GET /\r\n\r\n", b"GET / SPDY/3\r\n\r\n", b"\r\n\r\n"])
def test_what_is_no_request_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"values to unpack|unknown protocol"):
        parse_head(raw)


def test_a_variable_names_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTGYM_CHROMIUM", "/nowhere/chromium")
    with pytest.raises(UsageError, match="AGENTGYM_CHROMIUM names '/nowhere/chromium'"):
        find_chromium()
    monkeypatch.delenv("AGENTGYM_CHROMIUM")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="install the extra gui and a Chromium"):
        find_chromium()


PROGRAM = """
import sys, tempfile
sys.path[:0] = sys.argv[1:]
from pages import ORIGIN, Pages
from agentgym.sandboxes.browser import Chromium
from agentgym.sandboxes.chromium import program_of_process
tab = Chromium(sites={ORIGIN: Pages({"/": "hello"})})
tab.open(ORIGIN + "/")
print(program_of_process(is_paced=True).scratch, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, None])
def test_nothing_is_left_of_a_process_that_ends_or_is_killed(number: int | None) -> None:
    """As a pool kills it: with its process group."""
    roots = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *roots],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None and process.stdout is not None
    scratch = Path(process.stdout.readline().strip())
    started = psutil.Process(process.pid).children(recursive=True)
    assert scratch.is_dir() and len(started) > 3
    if number is None:
        process.stdin.close()
    else:
        os.killpg(process.pid, number)
    process.wait(timeout=20)
    process.stdin.close()
    process.stdout.close()
    _, alive = psutil.wait_procs(started, timeout=15)
    assert alive == []
    assert not scratch.exists()
