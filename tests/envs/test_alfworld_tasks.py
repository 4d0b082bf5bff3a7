from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from agentgym.envs.alfworld.engine import NativeGame
from agentgym.envs.alfworld.env import ALFWorld
from agentgym.envs.alfworld.house import Goal, House, TaskType
from agentgym.envs.alfworld.kinds import HOLDS, ITEM_KINDS, LAMPS, TREATMENTS, USUAL
from agentgym.envs.alfworld.scenes import ITEMS, RECEPTACLES, get_scene
from agentgym.envs.alfworld.tasks import SIZES, load_panel
from agentgym.envs.alfworld.world import kind_of
from agentgym.errors import UsageError
from agentgym.panel import Panel
from agentgym.types import Task

HASHES = {
    "gen1/train": "d518f90a3f32c241",
    "gen1/seen": "05bd210a51c8ef16",
    "gen1/unseen": "57917729db21b0fc",
}


def read(task: Task) -> tuple[House, Goal]:
    public: Any = task.public
    return House.from_json(public["house"]), Goal.from_json(public["goal"])


def scenes_of(panel: Panel) -> set[int]:
    return {read(task)[0].scene for task in panel}


@pytest.mark.parametrize("split", SIZES)
def test_a_panel_never_changes(split: str) -> None:
    assert load_panel(split).hash == HASHES[split]


def test_the_environment_serves_its_panels() -> None:
    assert ALFWorld.splits() == ("gen1/train", "gen1/seen", "gen1/unseen")
    assert [len(ALFWorld.panel(split)) for split in ALFWorld.splits()] == [3000, 140, 134]
    assert ALFWorld.panel("gen1/unseen").tasks[7].id == "gen1/unseen/0007"
    with pytest.raises(UsageError, match="did you mean 'gen1/unseen'"):
        ALFWorld.panel("gen1/unsen")


@pytest.mark.parametrize("split", SIZES)
def test_task_types_are_balanced_in_every_beginning_of_a_panel(split: str) -> None:
    types = [read(task)[1].task_type for task in load_panel(split)]
    for count in (6, 60, len(types)):
        counts = Counter(types[:count])
        assert set(counts) == set(TaskType)
        assert max(counts.values()) - min(counts.values()) <= 1


def test_unseen_scenes_are_never_used_in_training() -> None:
    train, seen, unseen = (scenes_of(load_panel(split)) for split in SIZES)
    assert len(train) == 96
    assert seen <= train
    assert not unseen & train
    plans = {json.dumps([get_scene(s).places, get_scene(s).stock]) for s in train | unseen}
    assert len(plans) == len(train | unseen)


def test_no_two_tasks_are_alike() -> None:
    texts = [
        json.dumps(dict(task.public), sort_keys=True)
        for split in SIZES
        for task in load_panel(split)
    ]
    assert len(set(texts)) == len(texts)


def test_unseen_houses_have_no_name_that_training_never_shows() -> None:
    train, unseen = (
        {
            name
            for task in load_panel(split)
            for house in [read(task)[0]]
            for name in [r.name for r in house.receptacles] + [i.name for i in house.items]
        }
        for split in ("gen1/train", "gen1/unseen")
    )
    assert unseen <= train


@pytest.mark.parametrize("split", SIZES)
def test_every_task_is_well_formed_and_open(split: str) -> None:
    for task in load_panel(split):
        house, goal = read(task)
        places = {receptacle.name for receptacle in house.receptacles}
        assert all(item.place in places for item in house.items)
        assert all(item.kind in HOLDS[kind_of(item.place)] for item in house.items)
        targets = [item for item in house.items if item.kind == goal.item]
        assert len(targets) >= (2 if goal.task_type is TaskType.TWO else 1)
        assert all(kind_of(item.place) != goal.receptacle for item in targets)
        if goal.task_type is TaskType.LOOK:
            assert goal.lamp in {item.kind for item in house.items} and not goal.receptacle
        else:
            assert goal.item in HOLDS[goal.receptacle] and not goal.lamp
        if verb := goal.task_type.treatment:
            appliance, kinds = TREATMENTS[verb]
            assert goal.item in kinds and goal.receptacle != appliance
        assert not NativeGame(house, goal).won


@pytest.mark.parametrize("split", SIZES)
def test_numbers_of_a_kind_have_no_holes(split: str) -> None:
    for task in load_panel(split):
        house = read(task)[0]
        for names in ([r.name for r in house.receptacles], [i.name for i in house.items]):
            assert len(set(names)) == len(names)
            for kind, count in Counter(map(kind_of, names)).items():
                assert {f"{kind} {number}" for number in range(1, count + 1)} <= set(names)


def test_a_house_and_a_goal_survive_json() -> None:
    for task in load_panel("gen1/seen"):
        house, goal = read(task)
        assert House.from_json(json.loads(json.dumps(house.to_json()))) == house
        assert Goal.from_json(json.loads(json.dumps(goal.to_json()))) == goal


def test_the_tables_of_kinds_agree() -> None:
    assert set(USUAL) == set(ITEM_KINDS)
    assert all(item in HOLDS[place] for item, places in USUAL.items() for place in places)
    for room in RECEPTACLES:
        assert set(RECEPTACLES[room]) <= set(HOLDS)
        assert set(ITEMS[room]) <= set(ITEM_KINDS)
    groups = [LAMPS, *(kinds for _, kinds in TREATMENTS.values())]
    assert all(group <= set(ITEM_KINDS) for group in groups)
