"""The fictional world and its panels: facts that hang together, questions that need every hop."""

from __future__ import annotations

import re
from collections import Counter
from typing import cast

import pytest

from agentgym.envs.search import names
from agentgym.envs.search.env import Search
from agentgym.envs.search.tasks import SIZES, load_panel
from agentgym.envs.search.world import INVERSES, PARTS, RELATIONS, Kind, Thing, load_world
from agentgym.errors import UsageError
from agentgym.types import Task

HASHES = {
    "gen1/train": "2c0f15f957e0c951",
    "gen1/dev": "b8fff1f4b4515460",
    "gen1/unseen": "ac2f8d44afb232b9",
}
WORLD = load_world()


def path_of(task: Task) -> list[Thing]:
    return [WORLD.things[int(number)] for number in cast("list[str]", task.secret["path"])]


def answers_of(task: Task) -> list[str]:
    return cast("list[str]", task.secret["answers"])


def follow(question: str) -> str:
    """The answer, read off the facts by the words of the question alone."""
    match = re.fullmatch(r"(?:Who|What) is (\w+ \w+)'s (.+)\?", question)
    assert match, question
    (thing,) = (thing for thing in WORLD.things if thing.name == match[1])
    fact: int | str = thing.number
    for relation in match[2].split("'s "):
        assert isinstance(fact, int)
        fact = WORLD.things[fact].facts[relation]
    return WORLD.name(fact)


@pytest.mark.parametrize("split", SIZES)
def test_a_panel_never_changes(split: str) -> None:
    assert load_panel(split).hash == HASHES[split]


def test_the_corpus_never_changes() -> None:
    assert len(WORLD.corpus.passages) == 20_160
    assert WORLD.corpus.hash == "80a6495a5cdacc48"


def test_the_environment_serves_its_panels() -> None:
    assert Search.splits()[:3] == ("gen1/train", "gen1/dev", "gen1/unseen")
    assert [len(Search.panel(split)) for split in SIZES] == [6000, 150, 300]
    assert Search.panel("gen1/unseen").tasks[7].id == "gen1/unseen/0007"
    with pytest.raises(UsageError, match="did you mean 'gen1/unseen'"):
        Search.panel("gen1/unsen")


def test_no_word_has_two_places_in_names() -> None:
    lists = [
        names.WOMEN, names.MEN, names.SURNAMES, names.TOWN_WORDS, names.ADJECTIVES,
        names.NOVEL_WORDS, names.COMPANY_WORDS, names.CONTEST_WORDS, names.MONTHS,
    ]  # fmt: skip
    words = [word.lower() for words in lists for word in words]
    assert len(set(words)) == len(words)
    relations = {word for kind in RELATIONS.values() for name in kind for word in name.split()}
    assert not relations & set(words)


def test_every_thing_has_a_name_of_its_own_and_a_passage() -> None:
    assert len({thing.name for thing in WORLD.things}) == len(WORLD.things)
    for thing, passage in zip(WORLD.things, WORLD.corpus, strict=True):
        assert (passage.id, passage.title) == (str(thing.number), thing.name)
        assert passage.text.startswith(f"{thing.name} ")
        for fact in thing.facts.values():
            assert WORLD.name(fact) in passage.text
        assert "{" not in passage.text


def test_facts_are_of_the_kind_that_relations_say_and_stay_within_a_part() -> None:
    for thing in WORLD.things:
        for relation, fact in thing.facts.items():
            target = RELATIONS[thing.kind][relation]
            if target is None:
                assert re.fullmatch(r"[A-Z][a-z]+ 1[789]\d\d", str(fact))
            else:
                other = WORLD.things[cast("int", fact)]
                assert other.kind is target
                assert other.part == thing.part


def test_inverse_facts_agree() -> None:
    inverses = {(kind, relation): inverse for kind, relation, inverse in INVERSES}
    inverses[Kind.PERSON, "spouse"] = "spouse"
    checked = 0
    for thing in WORLD.things:
        for relation, fact in thing.facts.items():
            if inverse := inverses.get((thing.kind, relation)):
                assert WORLD.things[cast("int", fact)].facts[inverse] == thing.number
                checked += 1
    assert checked > 20_000


def test_parts_have_their_share_of_every_kind() -> None:
    counts = Counter((thing.kind, thing.part) for thing in WORLD.things)
    for kind in Kind:
        total = sum(counts[kind, part] for part in PARTS)
        for part, share in PARTS.items():
            assert abs(counts[kind, part] - share * total) < 1.5


@pytest.mark.parametrize("split", SIZES)
def test_hops_are_balanced_in_every_beginning_of_a_panel(split: str) -> None:
    types = [task.public["type"] for task in load_panel(split)]
    assert types[:6] == ["1-hop", "2-hop", "3-hop"] * 2
    assert set(Counter(types).values()) == {len(types) // 3}


def test_held_out_questions_are_about_nothing_that_training_reads_of() -> None:
    seen: dict[int, str] = {}
    for split in SIZES:
        for task in load_panel(split):
            for thing in path_of(task):
                for number in (thing.number, *thing.facts.values()):
                    if isinstance(number, int):
                        assert seen.setdefault(number, split) == split


def test_held_out_names_have_no_word_that_training_names_lack() -> None:
    train, *held_out = (
        {word for thing in WORLD.things if thing.part == part for word in thing.name.split()}
        for part in PARTS
    )
    for words in held_out:
        assert words <= train


@pytest.mark.parametrize("split", SIZES)
def test_following_the_questions_words_gives_the_answer(split: str) -> None:
    tasks = load_panel(split).tasks[:300]
    assert [follow(str(task.public["question"])) for task in tasks] == [
        answers_of(task)[0] for task in tasks
    ]


@pytest.mark.parametrize("split", SIZES)
def test_no_hop_can_be_skipped(split: str) -> None:
    questions = [str(task.public["question"]) for task in load_panel(split)]
    assert len(set(questions)) == len(questions)
    for task in load_panel(split):
        path, (answer,) = path_of(task), answers_of(task)
        assert task.public["type"] == f"{len(path)}-hop"
        assert len({thing.number for thing in path}) == len(path)
        texts = [WORLD.corpus.passages[thing.number].text for thing in path]
        assert answer in texts[-1]
        assert answer not in str(task.public["question"])
        for earlier in texts[:-1]:
            assert answer not in earlier or answer[-1].isdigit()  # two dates may be equal
        for number, thing in enumerate(path[1:], start=1):
            assert thing.name in texts[number - 1]
            assert not any(thing.name in text for text in texts[: number - 1])
