"""The GUI environment: what it shows, what it takes, and MiniWoB's protocol."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from gui_tour import tour
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgym.browser import Answer, Asked
from agentgym.envs.gui import miniwob
from agentgym.envs.gui.env import GUI
from agentgym.envs.gui.experts.book import EXPERTS
from agentgym.envs.gui.experts.reading import ANYWHERE, Scene
from agentgym.envs.gui.prompt import Command, Point, read_action
from agentgym.envs.gui.shop import translate
from agentgym.envs.gui.tasks import FEW, KINDS
from agentgym.envs.webshop.env import WebShop
from agentgym.errors import UsageError
from agentgym.picture import find_places
from agentgym.sandboxes.chromium import find_chromium
from agentgym.types import Task


def task(kind: str, seed: int = 0) -> Task:
    """One of MiniWoB's."""
    public = {"site": "miniwob", "type": kind}
    return Task(id=f"{kind}-{seed}", split="mine", seed=seed, public=public)


@pytest.fixture(scope="module")
def env() -> Iterator[GUI]:
    try:
        miniwob.folder(), find_chromium()
    except UsageError as error:
        pytest.skip(str(error))
    found = GUI(image=True)
    yield found
    found.close()


def begin(env: GUI, kind: str, seed: int = 0) -> str:
    """What the task shows first."""
    return env.reset(options={"task": task(kind, seed)})[0].text


def act(env: GUI, action: str) -> str:
    """What it shows next."""
    return env.step(action)[0].text


def test_the_kinds_are_the_packages_pages() -> None:
    try:
        pages = {path.stem for path in (miniwob.folder() / "miniwob").glob("*.html")}
    except UsageError as error:
        pytest.skip(str(error))
    assert set(KINDS) == pages
    assert len(KINDS) == len(set(KINDS)) == 130


@pytest.mark.browser
def test_a_page_is_text_with_numbers(env: GUI) -> None:
    told = 'Task: Enter "Tora" into the text field and press Submit.'
    assert begin(env, "enter-text") == f'{told}\n\n[1] textbox [2] button "Submit"'
    assert act(env, "<think>so</think>type[1, Tora]").endswith(
        'Focus: [1]\n\n[1] textbox = "Tora" [2] button "Submit"'
    )
    observation, reward, terminated, truncated, _ = env.step("click[2]")
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert observation.text.endswith("The task is over.")
    assert env.outcome().success
    with pytest.raises(UsageError, match="call reset"):
        env.step("back")


@pytest.mark.browser
@pytest.mark.parametrize("kind", FEW)
def test_the_same_seed_is_the_same_task_and_another_is_not(env: GUI, kind: str) -> None:
    first = begin(env, kind, 3)
    act(env, env.expert_action())
    others = {begin(env, kind, seed) for seed in (4, 5, 6)}
    assert begin(env, kind, 3) == first
    assert others - {first}


@pytest.mark.browser
@pytest.mark.parametrize(
    "kind", ["enter-password", "click-menu", "use-autocomplete", "email-inbox"]
)
def test_a_page_takes_every_action_and_begins_as_it_was_loaded(env: GUI, kind: str) -> None:
    """All pages are in the benchmark `gui`."""
    assert tour(env, kind, seed=7) == tour(env, kind, seed=7)


@pytest.mark.browser
@pytest.mark.usefixtures("env")  # skips where there is no browser
def test_a_page_is_looked_at_with_the_pictures_of_its_style(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer_late(asked: Asked) -> Answer:
        time.sleep(0.1 if asked.path.endswith(".png") else 0)
        return miniwob.serve(asked)

    frame = replace(miniwob.MiniWoB.frame, sites={miniwob.ORIGIN: answer_late})
    monkeypatch.setattr(miniwob.MiniWoB, "frame", frame)
    with closing(GUI()) as slow:
        assert "text .trash at 138,86 size 12x12" in begin(slow, "email-inbox", 7)


@pytest.mark.browser
def test_an_element_keeps_its_number_while_it_is_there(env: GUI) -> None:
    begin(env, "click-tab-2", 1)
    before = {line for line in env.shown.split("\n") if "Tab #" in line}
    assert len(before) == 3
    for name in ("Tab #2", "Tab #3", "Tab #1"):
        found = Scene(text=env.shown, did=()).find(name)
        assert found is not None
        act(env, f"click[{found.number}]")
        assert before <= set(env.shown.split("\n"))


@pytest.mark.browser
@pytest.mark.parametrize(
    ("action", "note", "invalid"),
    [
        ("", "that was no action", "no_action"),
        ("look around", "that was no action", "no_action"),
        ("click[1", "that was no action", "no_action"),
        ("click[99]", "there is no [99]", "not_admissible"),
        ("drag[1, 99]", "there is no [99]", "not_admissible"),
        ("type[6, word]", "[6] takes no text", None),
        ("select[1, word]", "[1] is no combobox", None),
        ("scroll[down]", "nothing scrolls down", None),
        ("back", "there is no page before", None),
    ],
)
def test_what_does_not_work_is_told(env: GUI, action: str, note: str, invalid: str | None) -> None:
    begin(env, "click-checkboxes")
    assert env.parse(action).invalid == invalid
    observation, reward, terminated, _, _ = env.step(action)
    assert f"Note: {note}" in observation.text.split("\n")
    assert (reward, terminated) == (0.0, False)


@pytest.mark.browser
@pytest.mark.usefixtures("env")  # skips where there is no browser
def test_choices_are_listed_when_asked_for() -> None:
    with closing(GUI(choices=True)) as env:
        first = env.reset(options={"task": task("choose-list")})[0]
        assert first.choices is not None
        chosen = [each for each in first.choices if each.startswith("select[1, ")]
        assert len(chosen) > 3
        assert env.expert_action() in chosen
        others = set(first.choices) - set(chosen)
        assert others == {"click[2]", *ANYWHERE}
        assert [env.parse(each).action for each in first.choices] == list(first.choices)
        assert env.step("done")[0].choices == ()


@pytest.mark.browser
def test_the_page_does_not_end_the_episode_by_its_clock(env: GUI) -> None:
    begin(env, "button-delay", 0)
    for _ in range(12):  # its own limit is ten seconds
        _, _, terminated, _, _ = env.step("press[a]")
        assert not terminated
    assert begin(env, "button-delay", 0) == begin(env, "button-delay", 0)
    actions = ["click[1]", "press[a]", "press[a]", "click[2]"]
    assert [env.step(action)[1] for action in actions] == [0.0, 0.0, 0.0, 1.0]


@pytest.mark.browser
def test_done_ends_a_task_without_its_reward(env: GUI) -> None:
    begin(env, "click-test")
    assert env.step("done")[1:4] == (0.0, True, False)
    assert not env.outcome().success


@pytest.mark.browser
def test_the_picture_is_of_the_window(env: GUI) -> None:
    observation, _ = env.reset(options={"task": task("click-button")})
    assert observation.image is not None
    assert observation.image[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack("!2I", observation.image[16:24]) == (480, 480)
    assert len(observation.image) < 100_000
    assert "agentgym-marks" not in env.tab.call("() => document.documentElement.outerHTML")
    places = find_places(observation.image)
    assert places is not None and (places.width, places.height) == (240, 240)
    for number, (left, top, width, height) in places.boxes.items():
        middle = env.tab.call("id => __agentgym.locate(id)", number)
        found = pytest.approx({"x": left + width / 2, "y": top + height / 2}, abs=0.2)
        assert middle == found, "boxes are rounded to a tenth"
    assert len(places.boxes) > 1


@pytest.mark.browser
def test_a_browser_that_fails_is_replaced_and_the_episode_goes_on(env: GUI) -> None:
    begin(env, "click-checkboxes", 0)
    shown = act(env, env.expert_action())
    env.tab.close()
    assert act(env, "press[Shift+Tab]").partition("\n\n")[2] == shown.partition("\n\n")[2]
    while not env.step(env.expert_action())[2]:
        pass
    assert env.outcome().success


@pytest.mark.browser
@pytest.mark.parametrize("kind", sorted(EXPERTS)[::6])
def test_a_sample_of_the_experts_solves_its_tasks(env: GUI, kind: str) -> None:
    """All of them, over twenty seeds, are in the benchmark `gui`."""
    solved = 0
    for seed in (100, 101):
        begin(env, kind, seed)
        for _ in range(30):
            if env.step(env.expert_action())[2]:
                break
        solved += env.outcome().success
    assert solved >= 1


@pytest.mark.browser
@pytest.mark.parametrize("kind", FEW)
def test_a_beginner_puts_every_slip_right(env: GUI, kind: str) -> None:
    player, slips = env.demonstrator(seed=1), 0
    for seed in (100, 101):
        begin(env, kind, seed)
        for turn in range(12):
            wrong = player.mistake() if turn % 2 == 0 and turn < 6 else None
            if wrong is not None:
                assert not env.step(wrong)[2]
                slips += 1
            elif env.step(player.act())[2]:
                break
        assert env.outcome().success
    assert slips >= 2


def test_a_wrong_radio_button_is_put_right_by_the_right_one() -> None:
    """Clicking on it again would leave it as it is."""
    page = '[1] radio "a" checked\n[2] radio "b"\n[3] button "Submit"'
    scene = Scene(text=f"Task: Select b and click Submit.\n\n{page}", did=())
    assert EXPERTS["click-option"](scene) == "click[2]"


def shopping(env: GUI, number: int) -> tuple[list[float], list[float]]:
    """One scripted visit: rewards in the browser, and of the same actions in the text mode."""
    bought = env.panel("gen1/shop-test").tasks[number]
    text = WebShop()
    text.reset(options={"task": bought})
    env.reset(options={"task": bought})
    ours: list[float] = []
    theirs: list[float] = []
    rng, over = random.Random(number), False
    while not over and len(theirs) < 10:
        choices = text._observe().choices or ()
        wanted = text.expert_action()
        if choices and (number % 3 == 1 or rng.random() < 0.2):
            wanted = rng.choice(choices)  # now and then the wrong thing
        if wanted.startswith("search") and "searchbox" not in env.shown:
            wanted = "click[back to search]"
        _, reward, over, _, _ = text.step(wanted)
        theirs.append(reward)
        _, reward, ended, _, _ = env.step(translate(wanted, env.shown))
        if wanted.startswith("search"):
            _, reward, ended, _, _ = env.step(translate(wanted, env.shown))
        ours.append(reward)
        assert ended == over
    assert env.outcome() == text.outcome()
    return ours, theirs


@pytest.mark.browser
@pytest.mark.parametrize("number", range(4))
def test_the_shop_gives_the_rewards_of_the_text_mode(env: GUI, number: int) -> None:
    """More of them are in the benchmark `gui`."""
    ours, theirs = shopping(env, number)
    assert ours == theirs


@settings(max_examples=30)
@given(st.text(max_size=40))
def test_every_text_is_read_or_refused(text: str) -> None:
    for written in (text, f"type[1, {text}]", f"drag[{text}]", f"press[{text}]"):
        command = read_action(written)
        if command is not None:
            assert read_action(str(command)) == command


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("click[12]", Command(kind="click", target=12)),
        ("click[[12]]", Command(kind="click", target=12)),
        ("type[3, a, [b]]", Command(kind="type", target=3, text="a, [b]")),
        ("type[3, ]", Command(kind="type", target=3)),
        ("select[3, x]", Command(kind="select", target=3, text="x")),
        ("press[Control+Shift+a]", Command(kind="press", text="Control+Shift+a")),
        ("scroll[up]", Command(kind="scroll", text="up")),
        ("scroll[4, left]", Command(kind="scroll", target=4, text="left")),
        ("drag[4, 5]", Command(kind="drag", target=4, to=5)),
        ("drag[4, 8 9]", Command(kind="drag", target=4, to=Point(x=8, y=9))),
        ("drag[1, 2, 3, 4]", Command(kind="drag", target=Point(x=1, y=2), to=Point(x=3, y=4))),
        ("click_at[8.5, 9]", Command(kind="click_at", target=Point(x=8.5, y=9))),
        ("back", Command(kind="back")),
        ("<action>done</action>", Command(kind="done")),
        ("press[Meta+w]", None),
        ("press[F5]", None),
        ("press[]", None),
        ("scroll[sideways]", None),
        ("type[3]", None),
        ("type[3, " + "x" * 2001 + "]", None),
        ("back[2]", None),
        ("click[1] click[2]", None),
    ],
)
def test_the_grammar_of_actions(text: str, command: Command | None) -> None:
    assert read_action(text) == command


def test_a_kind_has_a_row_of_tasks_in_a_panel_to_learn_from() -> None:
    """A page is loaded anew at each change of kind."""
    kinds = [task.public["type"] for task in GUI.panel("gen1/few").tasks]
    assert kinds == [kind for _ in range(50) for kind in FEW for _ in range(20)]


def test_the_panels_are_these() -> None:
    sizes = {split: len(GUI.panel(split)) for split in GUI.splits()}
    assert sizes == {
        "gen1/train": 1040,
        "gen1/unseen": 260,
        "gen1/few": 6000,
        "gen1/few-unseen": 240,
        "gen1/shop-train": 4200,
        "gen1/shop-test": 500,
    }
