"""BrowserGym's environments as ours: the adapter on a stand-in, and on BrowserGym where it is.

It pins an old Playwright, so it has an environment of its own, and some of these tests run there:
`pip install -e '.[browsergym]' pytest hypothesis`, and `pytest tests/envs/test_browsergym.py`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from browsergym_stand_in import KINDS, Buttons, ButtonsEnv, standing_in
from PIL import Image

from agentgym import store
from agentgym.checker import check_env
from agentgym.engine import Request
from agentgym.env import find_spec
from agentgym.envs.browsergym.env import BrowserGym
from agentgym.errors import EnvError, UsageError
from agentgym.guard import GuardedEnv
from agentgym.pool import InlinePool, Pool, ProcessPool
from agentgym.render import ByteTemplate, Renderer
from agentgym.rollout import Agent, Start, play_groups
from agentgym.trainers.engines.scripted import Script, ScriptedEngine, utf8
from agentgym.types import Episode, EpisodeId, Observation, Status

BUTTONS = "browsergym_stand_in:Buttons"
REAL = "agentgym/BrowserGym-v0"
REASON = "BrowserGym has an environment of its own, see the head of this file"
is_installed = importlib.util.find_spec("browsergym") is not None


@pytest.fixture
def stand_in() -> Iterator[None]:
    """A BrowserGym whose own Chromium was downloaded."""
    with standing_in(SimpleNamespace(executable_path=sys.executable)):
        yield


@pytest.fixture
def env(stand_in: None) -> Iterator[Buttons]:
    found = Buttons(image=True)
    yield found
    found.close()


def begin(env: BrowserGym, seed: int = 0) -> Observation:
    """A task's first observation."""
    return env.reset(options={"task": env.panel("gen1/train").get(f"standin.press-{seed}")})[0]


def told(asked: Request) -> str:
    """The last observation."""
    return asked.messages[-1].content


def right(text: str) -> str:
    """The action that a page of the stand-in asks for."""
    found = re.search(r"Press Button (\d)", text)
    assert found is not None
    return f"click('{found[1]}')"


def test_tasks_are_the_registered_ids_under_each_seed(stand_in: None) -> None:
    panel = Buttons.panel("gen1/train")
    kinds = ("standin.another", "standin.press")
    assert [task.id for task in panel] == [f"{kind}-{seed}" for seed in range(3) for kind in kinds]
    assert [task.seed for task in panel] == [0, 0, 1, 1, 2, 2]
    assert {task.public["type"] for task in panel} == set(kinds)
    assert panel.env == BUTTONS
    with pytest.raises(UsageError, match="unknown split"):
        Buttons.panel("gen1/test")


def test_the_page_is_its_tree_and_what_can_be_clicked_on(env: Buttons) -> None:
    first = begin(env)
    goal, _, page = first.text.partition("\n\n")
    assert re.fullmatch(r"Task: Press Button [123]\.", goal)
    buttons = [f"[{number}] button 'Button {number}'" for number in (1, 2, 3)]
    assert page.split("\n") == ["StaticText 'Buttons'", *buttons]
    assert first.choices == ("click('1')", "click('2')", "click('3')")
    assert "2 actions: click, fill." in env.system_prompt


def test_reward_and_end_are_theirs(env: Buttons) -> None:
    action = right(begin(env).text)
    assert not env.outcome().success
    wrong = next(each for each in ("click('1')", "click('2')") if each != action)
    assert env.step(wrong)[1:4] == (0.0, False, False)
    observation, reward, terminated, truncated, _ = env.step(f"<think>so</think>{action}")
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert observation.text.endswith("\n\nThe task is over.")
    assert (env.outcome().score, env.outcome().success) == (1.0, True)
    with pytest.raises(UsageError, match="call reset"):
        env.step(action)
    begin(env, 1)
    assert env.outcome().score == 0.0


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ('click("2")', "click('2')"),
        ("<think>the second</think><action>click('2')</action>", "click('2')"),
        ("fill('2', 'a\\nb')", "fill('2', 'a\\nb')"),
        ("", None),
        ("click", None),
        ("click('2'", None),
        ("I click('2') now", None),
        ("click('2') click('3')", None),
        ("goto('http://127.0.0.1')", None),
        ("noop(1000000)", None),
        ("click('\\x')", None),
        ("click('a\0')", None),
        ("click(" + "[" * 1000, None),
        ("fill('2', '" + "a" * 2000 + "')", None),
    ],
)
def test_an_action_is_what_their_actions_take(env: Buttons, text: str, action: str | None) -> None:
    begin(env)
    parsed = env.parse(text)
    assert (parsed.action, parsed.invalid) == (action, None if action else "no_action")
    if action is None:
        observation, reward, terminated, _, _ = env.step(text)
        assert observation.text.split("\n")[1] == "Note: that was no action"
        assert (reward, terminated) == (0.0, False)


def test_of_their_error_the_first_line_is_told(env: Buttons) -> None:
    begin(env)
    lines = env.step("click('7')")[0].text.split("\n")
    assert lines[1:3] == ['Note: ValueError: Could not find element with bid "7"', ""]


def test_the_picture_is_their_screenshot(env: Buttons) -> None:
    picture = begin(env).image
    assert picture is not None
    assert Image.open(io.BytesIO(picture)).size == (6, 4)


def test_a_browser_is_open_until_the_next_task_or_the_end(env: Buttons) -> None:
    for seed in (0, 1):
        begin(env, seed)
        assert ButtonsEnv.opened == 1
    env.close()
    assert ButtonsEnv.opened == 0
    env.close()
    begin(env)


@pytest.mark.usefixtures("stand_in")
def test_a_browser_that_breaks_is_not_the_agents_failure() -> None:
    env = GuardedEnv(find_spec(BUTTONS))
    task = Buttons.panel("gen1/train").tasks[0]
    env.reset(task, seed=task.seed)
    with pytest.raises(EnvError, match="Target page, context or browser has been closed"):
        env.step("click('9')")
    env.reset(task, seed=task.seed)
    env.close()


@pytest.mark.usefixtures("stand_in")
def test_the_adapter_keeps_the_contract() -> None:
    assert [check.reason for check in check_env(BUTTONS) if not check.ok] == []


def test_where_playwrights_chromium_is_missing_every_launch_is_told_of_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("playwright", reason="the package playwright is not installed")
    launched: list[str] = []

    def launch(*, executable_path: str) -> None:
        launched.append(executable_path)

    chromium = SimpleNamespace(executable_path=str(tmp_path / "chrome"), launch=launch)
    monkeypatch.setenv("AGENTGYM_CHROMIUM", sys.executable)
    with standing_in(chromium):
        env = Buttons()
        begin(env)
        env.close()
        chromium.launch()
    assert launched == [sys.executable]


def rollouts(pool: Pool, env: type[BrowserGym], ids: list[str], script: Script) -> list[Episode]:
    """An episode of each of these tasks, played by a script."""
    panel = env.panel("gen1/train")
    agent = Agent(
        engine=ScriptedEngine(script, encode=lambda text: (*utf8(text), ByteTemplate.end_id)),
        renderer=Renderer(ByteTemplate()),
        context=65536,
        max_turn_tokens=200,
    )
    starts = [
        Start(
            id=EpisodeId(step=0, group=number, member=0),
            task=panel.get(task_id),
            panel_hash=panel.hash,
            env=panel.env,
            seed=0,
        )
        for number, task_id in enumerate(ids)
    ]

    async def run() -> list[Episode]:
        async with pool:
            groups = await play_groups(pool, agent, starts, size=1)
        return [group.episodes[0] for group in groups]

    return asyncio.run(run())


@pytest.mark.usefixtures("stand_in")
def test_episodes_are_played_inside_an_event_loop_and_stored(tmp_path: Path) -> None:
    ids = [f"{kind}-{seed}" for kind in KINDS for seed in range(3)]
    played = rollouts(InlinePool(BUTTONS), Buttons, ids, lambda asked: right(told(asked)))
    assert [episode.status for episode in played] == [Status.SUCCESS] * 6
    store.write_episodes(tmp_path / "step-000000.parquet", played)
    assert list(store.read_episodes(tmp_path / "step-000000.parquet")) == played


@pytest.mark.skipif(is_installed, reason="BrowserGym is installed")
def test_without_the_package_the_extra_is_named() -> None:
    with pytest.raises(UsageError, match="install the extra 'browsergym'"):
        BrowserGym()
    with pytest.raises(UsageError, match="install the extra 'browsergym'"):
        BrowserGym.panel("gen1/train")


def solve(text: str) -> str:
    """The next action in one of six tasks of MiniWoB, by what the page shows."""
    task, _, page = text.partition("\n\n")
    wanted = re.findall(r'"(.*?)"', task)
    boxes = re.findall(r"\[(\d+)\] textbox ''(?: value='(.*?)')?", page)
    if "press Submit" in task or "press login" in task:
        for (bid, value), word in zip(boxes, wanted, strict=False):
            if not value:
                return f"fill({bid!r}, {word!r})"
    if "Focus" in task:
        return f"click({boxes[0][0]!r})"
    if radio := re.search(r"Select (\w+) and", task):
        found = re.search(rf"\[(\d+)\] radio '{radio[1]}', checked='false'", page)
        if found:
            return f"click({found[1]!r})"
    name = re.search(r'Click on the "(.*)" button', task)
    buttons = re.findall(rf"\[(\d+)\] button '{name[1] if name else ''}", page)
    return f"click({buttons[-1]!r})"


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(not is_installed, reason=REASON)
@pytest.mark.parametrize("pool", ["inline", "process"])
def test_scripted_episodes_of_miniwob_succeed_and_are_stored(pool: str, tmp_path: Path) -> None:
    kinds = ("click-test", "click-button", "enter-text", "login-user", "click-option", "focus-text")
    ids = [f"miniwob.{kind}-{seed}" for kind in kinds for seed in (0, 1)]
    seats = InlinePool(REAL) if pool == "inline" else ProcessPool(REAL, num_workers=2)
    played = rollouts(seats, BrowserGym, ids, lambda asked: solve(told(asked)))
    lost = {e.task_id: (e.status, e.error, e.turns) for e in played if not e.success}
    assert lost == {}
    assert all(episode.turns[-1].reward == 1.0 for episode in played)
    store.write_episodes(tmp_path / "step-000000.parquet", played)
    assert list(store.read_episodes(tmp_path / "step-000000.parquet")) == played
