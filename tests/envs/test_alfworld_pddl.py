"""Houses as PDDL problems; needs no engine."""

from __future__ import annotations

import importlib.util

import pytest

from agentgym.envs.alfworld.house import Goal, House, Item, Receptacle, TaskType
from agentgym.envs.alfworld.pddl import name_ids, write_game, write_problem
from agentgym.errors import UsageError

HOUSE = House(
    scene=1,
    room="kitchen",
    receptacles=(
        *(Receptacle(name=f"cabinet {number}", opened=number == 2) for number in range(1, 12)),
        Receptacle(name="sinkbasin 1"),
    ),
    items=(Item(name="apple 1", place="cabinet 11"), Item(name="fork 1", place="sinkbasin 1")),
)
GOAL = Goal(task_type=TaskType.CLEAN, item="apple", receptacle="cabinet")

Expression = str | list["Expression"]


def parse(text: str) -> Expression:
    """The nested lists that a parenthesised text stands for."""
    stack: list[list[Expression]] = [[]]
    for token in text.replace("(", " ( ").replace(")", " ) ").split():
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(token)
    assert len(stack) == 1
    return stack[0][0]


def section(name: str) -> list[Expression]:
    """What stands in one part of the problem."""
    problem = parse(write_problem(HOUSE, GOAL))
    (found,) = [part[1:] for part in problem if isinstance(part, list) and part[0] == name]
    return found


def test_ids_sort_against_the_numbers_so_that_the_engine_shows_the_same_names() -> None:
    ids = name_ids(HOUSE)
    cabinets = sorted((name for name in ids if name.startswith("cabinet")), key=ids.__getitem__)
    assert cabinets == [f"cabinet {number}" for number in range(11, 0, -1)]
    assert len(set(ids.values())) == len(HOUSE.receptacles) + len(HOUSE.items)


def test_a_basin_is_named_as_the_published_games_name_it() -> None:
    sink = name_ids(HOUSE)["sinkbasin 1"]
    assert sink.startswith("sink_bar_") and sink.endswith("_bar_sinkbasin")


def test_the_problem_states_where_things_are_and_what_they_can_do() -> None:
    ids, facts = name_ids(HOUSE), section(":init")
    apple, fork, cabinet = ids["apple 1"], ids["fork 1"], ids["cabinet 11"]
    abilities = {fact[0] for fact in facts if fact[1:] == [apple]}
    assert abilities == {"pickupable", "cleanable", "heatable", "coolable", "sliceable"}
    assert {fact[0] for fact in facts if fact[1:] == [fork]} == {"pickupable", "cleanable"}
    assert ["inReceptacle", apple, cabinet] in facts
    (location,) = [fact[2] for fact in facts if fact[:2] == ["receptacleAtLocation", cabinet]]
    assert ["objectAtLocation", apple, location] in facts
    assert [fact for fact in facts if fact[0] == "opened"] == [["opened", ids["cabinet 2"]]]
    assert sum(fact[0] == "openable" for fact in facts) == 11
    assert {tuple(fact[1:]) for fact in facts if fact[0] == "canContain"} == {
        ("sinkbasinType", "appleType"),
        ("sinkbasinType", "forkType"),
    }


def test_every_receptacle_has_its_own_location_and_the_agent_another() -> None:
    facts = section(":init")
    taken = [fact[2] for fact in facts if fact[0] == "receptacleAtLocation"]
    (start,) = [fact[2] for fact in facts if fact[0] == "atLocation"]
    assert len({*taken, str(start)}) == len(HOUSE.receptacles) + 1


@pytest.mark.skipif(
    importlib.util.find_spec("alfworld") is not None, reason="the extra 'alfworld' is installed"
)
def test_a_missing_engine_is_told_with_the_extra_to_install() -> None:
    from agentgym.envs.alfworld.textworld import TextWorldALFWorld

    with pytest.raises(UsageError, match=r"install the extra 'alfworld' .*agentgym-lab\[alfworld]"):
        write_game(HOUSE, GOAL)
    with pytest.raises(UsageError, match="install the extra 'alfworld'"):
        TextWorldALFWorld()
