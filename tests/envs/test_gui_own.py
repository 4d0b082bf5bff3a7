"""Pages of a user's own: from a folder, and from a server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agentgym.browser import Tab
from agentgym.envs.gui.own import OwnPages
from agentgym.errors import DeadlineError, SandboxError, UsageError
from agentgym.sandboxes.chromium import find_chromium
from agentgym.types import Task

pytestmark = pytest.mark.browser

PAGE = """<p>Count: <output>0</output></p>
<button onclick="document.querySelector('output').value++">More</button><a href=two.html>two</a>"""


class Counter(OwnPages):
    """Count to a number."""

    def begin(self, tab: Tab, task: Task) -> tuple[str, str]:
        self.goal = int(self.np_random.integers(2, 9))
        return "one.html", f"Count to {self.goal}."

    def reward(self, tab: Tab) -> float | None:
        count = tab.call("() => Number(document.querySelector('output')?.value ?? 0)")
        return None if count < self.goal else 1.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    try:
        find_chromium()
    except UsageError as error:
        pytest.skip(str(error))
    (tmp_path / "one.html").write_text(PAGE, encoding="utf-8")
    (tmp_path / "two.html").write_text("<p>second</p>", encoding="utf-8")
    (tmp_path.parent / "secret.html").write_text("CANARY", encoding="utf-8")
    return tmp_path


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    """A server of the folder."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    handler: Any = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def own(where: str | Path) -> Counter:
    """The environment on these pages."""
    found = type("Mine", (Counter,), {"pages": where})()
    assert isinstance(found, Counter)
    return found


def play(env: Counter) -> float:
    """Click until it ends, by way of the second page; the reward."""
    first, _ = env.reset(seed=5)
    assert first.text == (
        f'Task: Count to {env.goal}.\n\nCount: 0\n[1] button "More" [2] link "two"'
    )
    assert env.step("click[2]")[0].text.endswith("\n\nsecond")
    assert "Count: 0" in env.step("back")[0].text
    for _ in range(10):
        _, reward, over, _, _ = env.step("click[1]")
        if over:
            return reward
    raise AssertionError("it never ended")


def test_pages_of_a_folder_and_of_a_server_are_played_alike(folder: Path, address: str) -> None:
    for where in (folder, address):
        env = own(where)
        assert play(env) == 1.0
        assert env.outcome().success
        env.close()


def test_a_folders_episode_is_repeated_and_a_servers_is_not(folder: Path, address: str) -> None:
    for where, goes_on in ((folder, True), (address, False)):
        env = own(where)
        env.reset(seed=5)
        goal = env.goal
        env.step("click[1]")
        env.tab.close()
        if goes_on:
            assert "Count: 2" in env.step("click[1]")[0].text or goal == 2
            assert env.goal == goal
        else:
            with pytest.raises((SandboxError, DeadlineError)):
                env.step("click[1]")
        env.close()


def test_nothing_outside_the_folder_is_shown(folder: Path) -> None:
    env = own(folder)
    env.reset(seed=5)
    for path in ("/../secret.html", "/%2e%2e/secret.html", "/..%2fsecret.html"):
        told = env.tab.call("path => fetch(path).then(each => each.text())", path)
        assert told == "no such page"
    env.close()


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="there is no folder '/nowhere'"):
        own("/nowhere").reset(seed=0)
