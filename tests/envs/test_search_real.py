"""Real facts: panels that stay as they are, held-out things, and an expert that knows the way."""

from __future__ import annotations

from collections import Counter
from importlib import metadata
from types import SimpleNamespace
from typing import Any, cast

import pytest
from expert_play import played

from agentgym.envs.search.env import Search
from agentgym.envs.search.made import made_splits
from agentgym.envs.search.real import PACKAGES, Entity, is_installed, load_real
from agentgym.envs.search.real_tasks import SIZES, load_real_panel
from agentgym.envs.search.reward import word_set
from agentgym.errors import UsageError
from agentgym.types import Task

needs_facts = pytest.mark.skipif(
    not is_installed(), reason="install the extra 'search-real'; `make test` installs its files"
)
HASHES = {
    "real1/train": "a89e2c97905a61c8",
    "real1/dev": "5c39e873a6fa1cd4",
    "real1/unseen": "17f3aeaff229c6fb",
}


def path_of(task: Task) -> list[Entity]:
    entities = load_real().entities
    return [entities[int(number)] for number in cast("list[str]", task.secret["path"])]


def answers_of(task: Task) -> list[str]:
    return cast("list[str]", task.secret["answers"])


@needs_facts
@pytest.mark.parametrize("split", SIZES)
def test_a_panel_never_changes(split: str) -> None:
    assert load_real_panel(split).hash == HASHES[split]
    assert len(Search.panel(split)) == SIZES[split]


@needs_facts
def test_the_corpus_never_changes() -> None:
    kinds = Counter(entity.kind for entity in load_real().entities)
    assert kinds == {"country": 239, "element": 118, "film": 12_600}
    assert load_real().corpus.hash == "9283e466fbbafc0a"


@needs_facts
def test_questions_and_answers_read_as_they_should() -> None:
    tasks = [task for split in SIZES for task in load_real_panel(split)]
    asked = {task.public["question"]: answers_of(task) for task in tasks}
    assert asked["What is the capital of Brazil?"] == ["Bras\xedlia", "Brasilia"]
    assert asked["What is the capital of Kazakhstan?"] == ["Astana"]
    assert asked["What is the calling code of Finland?"] == ["358"]
    assert asked["What is the chemical symbol of silver?"] == ["Ag"]
    assert asked["What is the element after palladium?"] == ["Silver"]
    assert asked["What is the chemical symbol of the element after aluminum?"] == ["Si"]
    assert asked["Who is the director of the film La Strada (1954)?"] == ["Federico Fellini"]
    film = "the country where the film Yojimbo (1961) was made"
    assert asked[f"What is {film}?"] == ["Japan", "Nippon", "Nihon"]
    film = "the country where the film The Seventh Continent (1989) was made"
    assert asked[f"What is the capital of {film}?"] == ["Vienna"]


@needs_facts
@pytest.mark.parametrize("split", SIZES)
def test_a_panel_is_balanced_and_repeats_nothing(split: str) -> None:
    tasks = load_real_panel(split).tasks
    assert [task.public["type"] for task in tasks[:4]] == ["1-hop", "2-hop"] * 2
    assert len({task.public["question"] for task in tasks}) == len(tasks)
    ends = Counter(path_of(task)[-1].names[0] for task in tasks)
    assert max(ends.values()) <= 0.15 * len(tasks)  # most films are American


@needs_facts
@pytest.mark.parametrize("split", SIZES)
def test_no_hop_can_be_skipped(split: str) -> None:
    passages = load_real().corpus.passages
    for task in load_real_panel(split):
        path, answers = path_of(task), answers_of(task)
        *earlier, last = [passages[entity.number].contents for entity in path]
        assert task.public["type"] == f"{len(path)}-hop"
        assert answers[0] in last
        for text in (str(task.public["question"]), *earlier):
            assert not any(word_set(each) <= word_set(text) for each in answers)
        if earlier:
            assert path[-1].names[0] in earlier[0]
            assert path[-1].names[0].lower() not in str(task.public["question"]).lower()


@needs_facts
def test_held_out_questions_are_about_nothing_that_training_reads_of() -> None:
    world, seen = load_real(), dict[str, str]()
    for split in SIZES:
        for task in load_real_panel(split):
            for entity in path_of(task):
                read = [entity.title]
                if entity.link is not None:
                    read.append(world.entities[entity.link].title)
                if entity.kind == "film":
                    read += entity.facts["director"][:1]
                for thing in read:
                    assert seen.setdefault(thing, split) == split


@needs_facts
@pytest.mark.parametrize("topk", [1, 3])
@pytest.mark.parametrize("split", SIZES)
def test_the_expert_answers_every_question_in_no_more_searches_than_hops(
    split: str, topk: int
) -> None:
    env = Search(topk=topk)
    for task in load_real_panel(split).tasks:
        num_searches = len(played(env, task)) - 2
        assert env.outcome().success, task.public["question"]
        assert 1 <= num_searches <= len(path_of(task))


@needs_facts
def test_the_environment_serves_the_panels_that_it_can_make() -> None:
    assert Search.splits()[:6] == (
        "gen1/train", "gen1/dev", "gen1/unseen", "real1/train", "real1/dev", "real1/unseen",
    )  # fmt: skip
    with pytest.raises(UsageError, match="did you mean 'real1/unseen'"):
        Search.panel("real1/unsen")


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("version", [None, "0.1"])
def test_without_its_packages_a_panel_names_the_extra(
    package: str, version: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(name: str) -> Any:
        if name == package and version is None:
            raise metadata.PackageNotFoundError(name)
        other = version if name == package else PACKAGES[name]
        return SimpleNamespace(version=other, locate_file=lambda path: path)

    load_real.cache_clear()
    load_real_panel.cache_clear()
    monkeypatch.setattr(metadata, "distribution", find)
    assert made_splits() == ("gen1/train", "gen1/dev", "gen1/unseen")
    with pytest.raises(UsageError) as caught:
        Search.panel("real1/dev")
    assert str(caught.value) == (
        f"the panels real1/... need the package {package}=={PACKAGES[package]}: "
        "pip install 'agentgym-lab[search-real]'"
    )
