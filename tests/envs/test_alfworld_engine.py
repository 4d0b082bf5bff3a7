from __future__ import annotations

import random
from typing import Any

import pytest

from agentgym.envs.alfworld import kinds
from agentgym.envs.alfworld.engine import NOTHING, NativeGame
from agentgym.envs.alfworld.experts import Planner
from agentgym.envs.alfworld.house import Goal, House, Item, Receptacle, TaskType
from agentgym.envs.alfworld.tasks import load_panel
from oracles.alfworld_rules import Rules

HOUSE = House(
    scene=1,
    room="kitchen",
    receptacles=tuple(
        Receptacle(name=name, opened=name == "drawer 1")
        for name in (
            "cabinet 1",
            "cabinet 2",
            "countertop 1",
            "desk 1",
            "drawer 1",
            "fridge 1",
            "microwave 1",
            "sinkbasin 1",
            "sinkbasin 2",
        )
    ),
    items=tuple(
        Item(name=name, place=place)
        for name, place in {
            "apple 1": "countertop 1",
            "apple 2": "countertop 1",
            "bread 1": "countertop 1",
            "desklamp 1": "desk 1",
            "fork 1": "drawer 1",
            "knife 1": "countertop 1",
            "mug 1": "cabinet 1",
            "pen 1": "desk 1",
            "tomato 1": "fridge 1",
        }.items()
    ),
)
PLACE = Goal(task_type=TaskType.PLACE, item="mug", receptacle="desk")


def play(*commands: str, goal: Goal = PLACE) -> tuple[NativeGame, str]:
    """The game after the commands, each of which must be admissible, and the last answer."""
    game = NativeGame(HOUSE, goal)
    text = game.intro
    for command in commands:
        assert command in game.admissible
        text = game.step(command)
    return game, text


TAKE_APPLE = ("go to countertop 1", "take apple 1 from countertop 1")
TAKE_KNIFE = ("go to countertop 1", "take knife 1 from countertop 1")


def test_the_intro_lists_receptacles_by_kind_then_falling_number_and_states_the_task() -> None:
    assert NativeGame(HOUSE, PLACE).intro == (
        "-= Welcome to TextWorld, ALFRED! =-\n\n"
        "You are in the middle of a room. Looking quickly around you, you see a cabinet 2, "
        "a cabinet 1, a countertop 1, a desk 1, a drawer 1, a fridge 1, a microwave 1, "
        "a sinkbasin 2, and a sinkbasin 1.\n\n"
        "Your task is to: put a mug in desk."
    )


@pytest.mark.parametrize(
    ("commands", "answer"),
    [
        (
            ["look"],
            "You are in the middle of a room. Looking quickly around you, you see nothing.",
        ),
        (["inventory"], "You are not carrying anything."),
        (
            ["go to countertop 1"],
            "You arrive at countertop 1. On the countertop 1, you see a apple 2, a apple 1, "
            "a bread 1, and a knife 1.",
        ),
        (
            ["go to desk 1"],
            "You arrive at desk 1. On the desk 1, you see a desklamp 1, and a pen 1.",
        ),
        (
            ["go to sinkbasin 2"],
            "You arrive at sinkbasin 2. On the sinkbasin 2, you see nothing.",
        ),
        (["go to cabinet 1"], "You arrive at cabinet 1. The cabinet 1 is closed."),
        (
            ["go to drawer 1"],
            "You arrive at drawer 1. The drawer 1 is open. In it, you see a fork 1.",
        ),
        (
            ["go to cabinet 1", "open cabinet 1"],
            "You open the cabinet 1. The cabinet 1 is open. In it, you see a mug 1.",
        ),
        (
            ["go to cabinet 2", "open cabinet 2"],
            "You open the cabinet 2. The cabinet 2 is open. In it, you see nothing.",
        ),
        (["go to drawer 1", "close drawer 1"], "You close the drawer 1."),
        (["go to cabinet 1", "examine cabinet 1"], "The cabinet 1 is closed."),
        (["go to sinkbasin 1", "examine sinkbasin 1"], "On the sinkbasin 1, you see nothing."),
        (
            ["go to sinkbasin 1", "look"],
            "You are facing the sinkbasin 1. Next to it, you see nothing.",
        ),
        ([*TAKE_APPLE], "You pick up the apple 1 from the countertop 1."),
        ([*TAKE_APPLE, "inventory"], "You are carrying: a apple 1."),
        ([*TAKE_APPLE, "examine apple 1"], "There's nothing special about apple 1."),
        (
            [*TAKE_APPLE, "move apple 1 to countertop 1"],
            "You move the apple 1 to the countertop 1.",
        ),
        (
            [*TAKE_APPLE, "go to sinkbasin 1", "clean apple 1 with sinkbasin 1"],
            "You clean the apple 1 using the sinkbasin 1.",
        ),
        (
            [*TAKE_APPLE, "go to microwave 1", "heat apple 1 with microwave 1"],
            "You heat the apple 1 using the microwave 1.",
        ),
        (
            [*TAKE_APPLE, "go to fridge 1", "cool apple 1 with fridge 1"],
            "You cool the apple 1 using the fridge 1.",
        ),
        (["go to desk 1", "use desklamp 1"], "You turn on the desklamp 1."),
        (["go to desk 1", "use desklamp 1", "use desklamp 1"], "You turn on the desklamp 1."),
        ([*TAKE_KNIFE, "slice apple 1 with knife 1"], "You sliced the apple 1 with the knife 1."),
        (
            [*TAKE_KNIFE, "go to fridge 1", "slice tomato 1 with knife 1"],
            "You sliced the tomato 1 with the knife 1.",
        ),
    ],
)
def test_an_admissible_command_is_answered_in_the_games_words(
    commands: list[str], answer: str
) -> None:
    assert play(*commands)[1] == answer


def test_help_lists_the_commands() -> None:
    text = play("help")[1]
    assert text.startswith("Available commands:\n  look:   ") and text.endswith("sharp object\n")
    assert text.count("\n") == 14


@pytest.mark.parametrize(
    ("commands", "refused"),
    [
        ([], "open cabinet 1"),  # not there
        ([], "examine cabinet 1"),
        ([], "examine apple 1"),
        ([], "go to cabinet 3"),  # no such thing
        ([], "dance"),
        (["go to desk 1"], "go to desk 1"),  # already there
        (["go to desk 1"], "go to  fridge 1"),
        (["go to desk 1"], "open desk 1"),  # no door
        (["go to desk 1"], "close desk 1"),
        (["go to drawer 1"], "open drawer 1"),  # already open
        (["go to cabinet 1"], "close cabinet 1"),  # already closed
        (["go to cabinet 1"], "take mug 1 from cabinet 1"),  # shut
        (["go to desk 1"], "take mug 1 from desk 1"),  # elsewhere
        (["go to desk 1"], "take desklamp 1 from desk 1"),  # too heavy
        (["go to countertop 1"], "take mug 1 from cabinet 1"),  # not there
        (["go to countertop 1"], "examine apple 1"),  # not held
        (["go to desk 1"], "use pen 1"),  # no switch
        (["go to countertop 1"], "use desklamp 1"),  # not there
        ([*TAKE_APPLE], "take apple 2 from countertop 1"),  # hands full
        ([*TAKE_APPLE], "move apple 2 to countertop 1"),  # not held
        ([*TAKE_APPLE], "move apple 1 to fridge 1"),  # not there
        ([*TAKE_APPLE, "go to fridge 1"], "move apple 1 to fridge 1"),  # shut
        ([*TAKE_APPLE, "go to desk 1"], "move apple 1 to desk 1"),  # does not belong there
        ([*TAKE_APPLE], "clean apple 1 with sinkbasin 1"),  # not there
        ([*TAKE_APPLE, "go to desk 1"], "clean apple 1 with desk 1"),  # wrong appliance
        ([*TAKE_APPLE, "go to fridge 1"], "heat apple 1 with fridge 1"),
        (["go to sinkbasin 1"], "clean apple 1 with sinkbasin 1"),  # not held
        ([*TAKE_KNIFE, "go to microwave 1"], "heat knife 1 with microwave 1"),  # not heatable
        ([*TAKE_KNIFE, "go to fridge 1"], "cool knife 1 with fridge 1"),
        (
            ["go to desk 1", "take pen 1 from desk 1", "go to sinkbasin 1"],
            "clean pen 1 with sinkbasin 1",
        ),
        (["go to countertop 1"], "slice apple 1 with knife 1"),  # blade not held
        ([*TAKE_KNIFE], "slice tomato 1 with knife 1"),  # elsewhere
        ([*TAKE_KNIFE, "go to drawer 1"], "slice fork 1 with knife 1"),  # not sliceable
        ([*TAKE_APPLE], "slice bread 1 with apple 1"),  # no blade
    ],
)
def test_a_failing_precondition_makes_nothing_happen(commands: list[str], refused: str) -> None:
    game, _ = play(*commands)
    before = (game.admissible, repr(game.world))
    assert game.step(refused) == NOTHING
    assert (game.admissible, repr(game.world)) == before


@pytest.mark.parametrize(
    ("treatments", "quality"),
    [
        (["clean"], "clean"),
        (["heat"], "hot"),
        (["cool"], "cold"),
        (["slice"], "sliced"),
        (["heat", "cool"], "cold"),
        (["cool", "heat"], "hot"),
        (["clean", "heat"], "hot and clean"),
        (["cool", "clean"], "cool and clean"),
        (["slice", "clean"], "clean sliced"),
        (["slice", "heat"], "hot sliced"),
        (["slice", "cool"], "cool sliced"),
        (["slice", "clean", "heat"], "hot and clean sliced"),
        (["slice", "clean", "cool"], "cool and clean sliced"),
    ],
)
def test_examine_names_every_treatment(treatments: list[str], quality: str) -> None:
    slicing = (*TAKE_KNIFE, "slice apple 1 with knife 1", "move knife 1 to countertop 1")
    game = NativeGame(HOUSE, PLACE)
    commands = [*(slicing if "slice" in treatments else ()), *TAKE_APPLE]
    for verb in treatments:
        if verb != "slice":
            place = {"clean": "sinkbasin 1", "heat": "microwave 1", "cool": "fridge 1"}[verb]
            commands += [f"go to {place}", f"{verb} apple 1 with {place}"]
    for command in commands:
        game.step(command)
    assert game.step("examine apple 1") == f"This is a {quality} apple 1."


def test_admissible_commands_are_sorted_and_complete_at_a_glance() -> None:
    game, _ = play("go to countertop 1")
    assert game.admissible == (
        "examine countertop 1",
        "go to cabinet 1",
        "go to cabinet 2",
        "go to desk 1",
        "go to drawer 1",
        "go to fridge 1",
        "go to microwave 1",
        "go to sinkbasin 1",
        "go to sinkbasin 2",
        "help",
        "inventory",
        "look",
        "take apple 1 from countertop 1",
        "take apple 2 from countertop 1",
        "take bread 1 from countertop 1",
        "take knife 1 from countertop 1",
    )


def test_a_look_task_is_won_only_at_the_lit_lamp_with_the_item_in_hand() -> None:
    goal = Goal(task_type=TaskType.LOOK, item="mug", lamp="desklamp")
    lit = ("go to desk 1", "use desklamp 1")
    fetched = ("go to cabinet 1", "open cabinet 1", "take mug 1 from cabinet 1")
    assert not play(*lit, goal=goal)[0].won
    assert not play(*lit, *fetched, goal=goal)[0].won
    assert play(*lit, *fetched, "go to desk 1", goal=goal)[0].won
    assert not play(*fetched, "go to desk 1", goal=goal)[0].won
    assert play(*fetched, *lit, goal=goal)[0].won


def test_two_items_count_only_in_the_same_receptacle() -> None:
    goal = Goal(task_type=TaskType.TWO, item="apple", receptacle="sinkbasin")
    first = (*TAKE_APPLE, "go to sinkbasin 1", "move apple 1 to sinkbasin 1")
    second = ("go to countertop 1", "take apple 2 from countertop 1")
    apart = ("go to sinkbasin 2", "move apple 2 to sinkbasin 2")
    together = ("go to sinkbasin 1", "move apple 2 to sinkbasin 1")
    assert not play(*first, *second, *apart, goal=goal)[0].won
    assert play(*first, *second, *together, goal=goal)[0].won


def test_a_heat_task_needs_the_item_hot_and_in_place() -> None:
    goal = Goal(task_type=TaskType.HEAT, item="apple", receptacle="fridge")
    hot = (*TAKE_APPLE, "go to microwave 1", "heat apple 1 with microwave 1", "go to fridge 1")
    stored = ("open fridge 1", "move apple 1 to fridge 1")
    assert play(*hot, *stored, goal=goal)[0].won
    assert not play(*hot, "cool apple 1 with fridge 1", *stored, goal=goal)[0].won


CAN = {
    "openable": kinds.OPENABLE,
    "pickupable": kinds.PICKUPABLE,
    "use": kinds.LAMPS,
    "slice": kinds.SLICEABLE,
    "blade": kinds.BLADES,
    "clean": kinds.CLEANABLE,
    "heat": kinds.HEATABLE,
    "cool": kinds.COOLABLE,
}


def walk_both(public: Any, generator: random.Random, *, num_steps: int) -> None:
    """Follow the planner with random detours in the engine and the oracle; they must agree."""
    game = NativeGame(House.from_json(public["house"]), Goal.from_json(public["goal"]))
    rules = Rules(public["house"], public["goal"], can=CAN, holds=kinds.HOLDS)
    for _ in range(num_steps):
        assert game.admissible == rules.admissible()
        assert game.won == rules.won()
        busy = [c for c in game.admissible if not c.startswith("go to")]
        choices = [generator.choice(busy), generator.choice(game.admissible)]
        if not game.won:
            choices += [Planner(game).act()] * 2
        command = generator.choice(choices)
        game.step(command)
        rules.step(command)


@pytest.mark.parametrize("index", range(6))
def test_the_engine_agrees_with_the_rules_as_facts(index: int) -> None:
    task = load_panel("gen1/seen").tasks[index]
    walk_both(task.public, random.Random(index), num_steps=30)
