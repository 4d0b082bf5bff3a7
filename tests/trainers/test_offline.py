"""Credit on stored episodes: the trainer's numbers again, other schemes beside them, the graph."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from graph_groups import S1, random_groups
from scored import group, scored
from small_runs import small_recipe
from stored_runs import by_seed, place, write_run

from agentgym import registry, store
from agentgym.cli import main
from agentgym.errors import StoreError, UsageError
from agentgym.trainers import config, offline, train
from agentgym.trainers.credit.grpo import Grpo
from agentgym.trainers.credit.salt import Salt
from agentgym.trainers.graph_data import draw
from agentgym.trainers.offline import Comparison
from agentgym.types import Credited, Episode, Group, ScoredGroup, Status


def compare(run: store.Run, *names: str, step: int | None = None) -> Comparison:
    recipe = offline.read_recipe(run)
    schemes = [offline.make_scheme(recipe, name, {}) for name in names]
    return offline.compare(run, recipe, schemes, step)


@pytest.mark.parametrize("name", list(registry.credits))
def test_the_runs_own_scheme_differs_by_exactly_nothing(name: str, tmp_path: Path) -> None:
    run = write_run(tmp_path, by_seed, name=name)
    found = compare(run, name)
    assert len(found.trained) > 40
    assert np.array_equal(found.columns[0].advantages, found.trained)
    assert not found.columns[0].differences.any()
    assert found.names == (name,)
    assert np.abs(found.trained).max() > 0.1


@pytest.mark.parametrize("name", ["gae_token", "bilevel_gae"])
def test_a_difference_at_one_token_is_seen(name: str, tmp_path: Path) -> None:
    """Even where it leaves the turn's mean as it was."""
    run = write_run(tmp_path, by_seed, name=name)
    path = tmp_path / "episodes" / "step-000001.parquet"
    episodes = [e for g in run.groups("step-000001") for e in g.episodes]
    first = next(i for i, e in enumerate(episodes) if e.token_advantages)
    tokens = episodes[first].token_advantages
    assert tokens is not None
    (a, b, c), *others = tokens
    episodes[first] = replace(episodes[first], token_advantages=((a + 0.5, b - 0.5, c), *others))
    store.write_episodes(path, episodes)
    (column,) = compare(run, name).columns
    assert np.array_equal(column.advantages, compare(run, name).trained)
    assert column.differences.max() == pytest.approx(0.5)
    assert (column.differences > 0).sum() == 1


def test_settings_of_the_recipe_belong_to_its_scheme_alone(tmp_path: Path) -> None:
    run = write_run(tmp_path, by_seed, key_window=1, base="mean")
    recipe = offline.read_recipe(run)
    own = offline.make_scheme(recipe, "salt", {"key_window": 2})
    assert own.credit == Salt(key_window=2, base="mean")
    assert offline.make_scheme(recipe, "grpo", {}).credit == Grpo()
    assert np.array_equal(compare(run, "salt").columns[0].advantages, compare(run, "salt").trained)


def test_processes_credit_their_own_groups(tmp_path: Path) -> None:
    """The trainer gives process r every n-th group; so does this."""
    groups = scored(*random_groups(3, 5))
    recipe = small_recipe("tiny")
    scheme = offline.make_scheme(recipe, "salt", {})
    alone, shared = offline.apply(scheme, groups), offline.apply(scheme, groups, processes=2)
    assert shared.advantages == alone.advantages
    assert shared.metrics["salt/num_merged_edges"] == alone.metrics["salt/num_merged_edges"]


class Counting(Grpo):
    """Says how many groups it was given."""

    reads: ClassVar[frozenset[str]] = frozenset({"outcome", "batch"})

    def __call__(self, groups: Sequence[ScoredGroup]) -> Credited:
        return replace(super().__call__(groups), metrics={"groups": float(len(groups))})


def test_a_scheme_that_reads_the_batch_is_given_all_of_it() -> None:
    groups = scored(*random_groups(3, 5))
    whole = offline.Scheme(name="counting", settings={}, credit=Counting())
    parts = offline.Scheme(name="grpo", settings={}, credit=Grpo())
    found = offline.apply(whole, groups, processes=2)
    assert found.metrics == {"groups": 5.0}
    assert found.advantages == offline.apply(parts, groups, processes=2).advantages


def test_places_name_the_turns_in_order(tmp_path: Path) -> None:
    run = write_run(tmp_path, lambda step: [S1])
    found = compare(run, "grpo", step=1)
    assert [str(p) for p in found.places[:4]] == [
        "step=1/group=0/member=0/turn=1", "step=1/group=0/member=0/turn=2",
        "step=1/group=0/member=0/turn=3", "step=1/group=0/member=1/turn=1",
    ]  # fmt: skip
    assert found.places[1].action == "click[B1]"
    # 13 turns: the lost member has none here.
    assert len(found.places) == len(found.trained) == 13


def test_correlation_is_pearsons_and_undefined_for_what_never_varies(tmp_path: Path) -> None:
    run = write_run(tmp_path, lambda step: [S1], name="grpo")
    found = compare(run, "grpo", "rloo", "graft")
    assert found.names == ("grpo", "rloo", "graft")
    matrix = np.array(found.correlation(), dtype=float)
    assert matrix == pytest.approx(np.corrcoef(found.values))
    assert matrix[0, 1] == pytest.approx(1.0)
    failed = write_run(tmp_path, lambda step: [group(*S1.episodes[1:])], name="grpo")
    assert compare(failed, "graft").correlation() == [[None]]


def test_disagreements_are_in_units_of_each_scheme(tmp_path: Path) -> None:
    run = write_run(tmp_path, lambda step: [S1], name="grpo")
    # RLOO is GRPO in another unit.
    assert compare(run, "grpo", "rloo").disagreements(5) == ()
    first, *others = compare(run, "grpo", "crbc", step=0).disagreements(20)
    # The success searched: 1.5 of a deviation .84 here, .19 of 4.15 there.
    assert str(first.places[0]) == "step=0/group=0/member=0/turn=1"
    assert first.values == pytest.approx((1.499997, 0.192786), abs=1e-5)
    deviations = compare(run, "grpo", "crbc", step=0).values.std(axis=1)
    assert first.spread == pytest.approx(np.ptp(np.array(first.values) / deviations))
    assert [each.spread for each in others] == sorted((e.spread for e in others), reverse=True)
    # t2 and t3 searched alike and failed alike: one entry.
    alike = [each for each in others if each.places[0].action == "search[red shoes]"]
    assert [len(each.places) for each in alike] == [2]
    assert len(compare(run, "grpo", "crbc").disagreements(3)) == 3


# What the command says.


def call(capsys: pytest.CaptureFixture[str], *words: Any) -> str:
    assert main([str(word) for word in words]) == 0
    return capsys.readouterr().out


def refuse(capsys: pytest.CaptureFixture[str], *words: Any, code: int = 2) -> str:
    assert main([str(word) for word in words]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


def test_without_a_name_it_checks_the_trainers_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path, by_seed, key_window=2)
    shown = call(capsys, "credit", tmp_path)
    assert "trained with salt key_window=2" in shown
    (row,) = (line.split() for line in shown.splitlines() if line.startswith("salt key_window=2 "))
    assert row[-1] == "0"
    assert "graph/merge_rate" in shown
    assert "disagree" not in shown


def test_comparing_shows_correlation_and_where_to_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my run"
    write_run(folder, by_seed)
    shown = call(capsys, "credit", folder, "--compare", "salt,gigpo, crbc")
    assert "correlation over turns" in shown
    assert "where they disagree most" in shown
    assert f"read it: agentgym replay '{folder}' --step " in shown
    assert shown.count("+1.000") >= 3


def test_json_has_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path, lambda step: [S1])
    words = ["credit", tmp_path, "--with", "salt", "--set", "key_window=1", "--step", "1", "--json"]
    found = json.loads(call(capsys, *words))
    assert found["trained"]["name"] == "salt"
    (scheme,) = found["schemes"]
    assert scheme["settings"] == {"key_window": 1}
    assert scheme["max_difference"] > 0.1
    assert scheme["metrics"]["salt/num_merged_edges"] == 3
    first = found["episodes"][0]
    assert (first["step"], first["group"], first["member"]) == (1, 0, 0)
    expected = Salt(key_window=1)(scored(S1)).advantages[0]
    assert [tuple(row["advantages"]["salt"]) for row in found["episodes"]] == list(expected)
    assert found["disagreements"][0]["action"] == "buy"
    assert found["correlation"]["trained"]["trained"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--with", "slat"], "unknown credit scheme 'slat'; did you mean 'salt'"),
        (["--set", "key_windw=2"], "unknown key 'salt.key_windw'; did you mean 'salt.key_window'"),
        (["--set", "key_window"], "--set 'key_window' needs a value"),
        (["--set", "key_window=0"], "'salt.key_window' is 0"),
        (["--step", "7"], "no train step 7 in .* stored: 0 to 1"),
        (["--compare", "salt,gigpo", "--with", "grpo"], "--compare takes names alone"),
    ],
)
def test_wrong_input_is_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path, lambda step: [S1])
    line = refuse(capsys, "credit", tmp_path, *words)
    assert re.search(said, line), line


def test_a_scheme_whose_channel_was_not_recorded_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def bare(episode: Episode) -> Episode:
        return replace(episode, turns=tuple(replace(t, channels={}) for t in episode.turns))

    write_run(tmp_path, lambda step: [group(*map(bare, S1.episodes))])
    line = refuse(capsys, "credit", tmp_path, "--with", "igpo")
    assert "'igpo' reads 'information_gain', which this run did not record" in line


def test_a_folder_that_is_no_run_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, recipe = tmp_path / "config.yaml", config.dump(small_recipe("tiny"))
    assert f"'{tmp_path}' holds no run: it has no config.yaml" in refuse(capsys, "credit", tmp_path)
    for content, said in (
        (b"\xff", f"recipe '{path}' cannot be read: 'utf-8' codec can't decode byte 0xff"),
        (b"", f"recipe '{path}' is not a mapping of keys"),
        (b"a: [", f"recipe '{path}' cannot be read: while parsing"),
        (f"{recipe}seed: 1\n".encode(), "key 'seed' stands there a second time"),
        (recipe.replace("seed:", "sead:").encode(), "unknown key 'sead'; did you mean 'seed'?"),
    ):
        path.write_bytes(content)
        assert said in refuse(capsys, "credit", tmp_path)
    store.write_text(path, recipe)
    assert "no train steps in" in refuse(capsys, "credit", tmp_path, code=1)


def test_a_step_without_advantages_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path, lambda step: [S1])
    played = place([S1], 0)
    path = tmp_path / "episodes" / "step-000000.parquet"
    store.write_episodes(path, [e for g in played for e in g.episodes])
    with pytest.raises(StoreError, match="member=0 was stored without advantages"):
        compare(run, "salt")


@pytest.mark.parametrize("words", [["credit"], ["credit", "--json"], ["graph"]])
def test_steps_without_a_valid_episode_are_one_line(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def lost(step: int) -> list[Group]:
        failed = (
            replace(each, status=Status.INFRA_ERROR, score=None, success=None)
            for each in S1.episodes
        )
        return [group(*failed)]

    write_run(tmp_path, lost)
    verb, *more = words
    assert "no valid episodes in" in refuse(capsys, verb, tmp_path, *more, code=1)


def test_no_model_and_no_torch_is_loaded(tmp_path: Path) -> None:
    write_run(tmp_path, by_seed)
    program = (
        "import sys\nfrom agentgym.cli import main\n"
        f"folder = {str(tmp_path)!r}\n"
        "assert main(['credit', folder, '--compare', 'salt,gigpo,crbc']) == 0\n"
        "assert main(['graph', folder, '--with', 'graphgpo']) == 0\n"
        "assert not {'torch', 'transformers'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("name", ["salt", "gigpo", "crbc"])
def test_a_real_run_is_recomputed_exactly(name: str, corridor_model: Path, tmp_path: Path) -> None:
    short = {
        "train": {"steps": 2, "tasks_per_step": 2, "checkpoint_every": 2},
        "eval": {"tasks": 1, "samples": 1},
        "rewards": {"invalid_action": {"weight": -0.01, "into": "outcome"}},
        "credit": {"name": name},
    }
    result = train(small_recipe(corridor_model, **short), out=tmp_path / "run")
    found = compare(store.open(result.folder), name, "grpo")
    assert np.array_equal(found.columns[0].advantages, found.trained)
    assert found.trained.any()


# The graph as data.


def test_the_graph_of_states_is_what_the_kernel_uses() -> None:
    (found,) = scored(S1)
    scheme = registry.credits.make("crbc")
    advantages = scheme([found]).advantages[0]
    data = draw(scheme, found, advantages)
    assert [node.key for node in data.nodes] == ["start", "R1", "B1", "", "B1s", "", "B2", "R2"]
    ends = [node for node in data.nodes if node.kind != "state"]
    assert [(node.kind, node.visits, node.score) for node in ends] == [
        ("success", 1, 1.0), ("failure", 3, 0.0)
    ]  # fmt: skip
    root, r1, b1 = data.nodes[0], data.nodes[1], data.nodes[2]
    assert (root.visits, root.num_members, r1.visits, b1.visits) == (4, 4, 3, 3)
    assert root.score == pytest.approx(0.235298, abs=1e-6)
    assert b1.mean_advantage == pytest.approx(np.mean([5.035531, -7.571067, 3.035535]), abs=1e-5)
    search = data.edges[0]
    assert (search.source, search.target, search.action) == (0, 1, "search[red shoes]")
    assert search.turns == ((0, 1), (1, 1), (2, 1))
    buys = [edge for edge in data.edges if edge.action == "buy" and edge.source == 2]
    assert [(data.nodes[edge.target].kind, edge.turns) for edge in buys] == [
        ("success", ((0, 3),)), ("failure", ((3, 3),))
    ]  # fmt: skip
    assert sum(edge.visits for edge in data.edges) == 13


@pytest.mark.parametrize("name", ["salt", "grpo", "graphgpo", "gigpo"])
def test_every_turn_lies_on_one_edge_between_its_nodes(name: str) -> None:
    for found in scored(*random_groups(5, 20)):
        scheme = registry.credits.make(name)
        advantages = scheme([found]).advantages[0]
        data = draw(scheme, found, advantages)
        assert [node.id for node in data.nodes] == list(range(len(data.nodes)))
        assert [edge.id for edge in data.edges] == list(range(len(data.edges)))
        on = {place: edge for edge in data.edges for place in edge.turns}
        for member in found.members:
            previous: int | None = None
            for number, turn in enumerate(member.episode.turns, start=1):
                edge = on.pop((member.episode.id.member, number))
                assert (edge.action, edge.invalid) == (turn.action, turn.invalid)
                assert previous is None or edge.source == previous
                assert data.nodes[edge.target].key in (turn.observation.key, "")
                previous = edge.target
        assert on == {}


def test_salts_turns_on_one_edge_have_one_advantage() -> None:
    for found in scored(*random_groups(9, 20)):
        scheme = Salt(key_window=1)
        (advantages,) = scheme([found]).advantages
        of = {m.episode.id.member: row for m, row in zip(found.members, advantages, strict=True)}
        for edge in draw(scheme, found, advantages).edges:
            values = [of[member][turn - 1] for member, turn in edge.turns]
            assert values == pytest.approx([edge.mean_advantage] * len(values))


def test_the_graph_command_prints_and_exports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path, lambda step: [S1])
    shown = call(capsys, "graph", tmp_path, "--with", "graphgpo")
    assert "step 1, group 0, task task, as graphgpo sees it" in shown
    assert "SUCCESS" in shown and "graph/rivals" in shown
    exported = json.loads(call(capsys, "graph", tmp_path, "--step", "0", "--json"))
    assert (exported["step"], exported["scheme"]) == (0, "salt")
    assert exported["edges"][0]["turns"] == [[0, 1], [1, 1], [2, 1]]
    assert {"id", "kind", "key", "visits", "score"} <= exported["nodes"][0].keys()
    line = refuse(capsys, "graph", tmp_path, "--group", "4")
    assert "step 1 has no group 4; it has 1, from 0" in line


def test_settings_are_words_with_a_value() -> None:
    assert offline.parse_settings(["key_window=2", "base=rloo"]) == {
        "key_window": 2, "base": "rloo"
    }  # fmt: skip
    with pytest.raises(UsageError, match="needs a value"):
        offline.parse_settings(["key_window"])
