"""The search environment's turns: grammar, observations, keys, scores, expert."""

from __future__ import annotations

import random
import time
from typing import Any, cast

import gymnasium
import pytest
from expert_play import played
from gymnasium.utils.env_checker import check_env
from hypothesis import example, given, settings
from hypothesis import strategies as st

import agentgym  # noqa: F401  registers the environments
from agentgym.demonstrate import demonstrate
from agentgym.envs.search.corpus import Passage
from agentgym.envs.search.env import Search
from agentgym.envs.search.prompt import NO_CALL, NOTHING_FOUND, parse_call, read_call, show
from agentgym.envs.search.tasks import SIZES, load_panel
from agentgym.envs.search.world import load_world
from agentgym.errors import UsageError
from agentgym.pool import InlinePool
from agentgym.types import Observation, Parsed, Task
from oracles import answer_scores

TASK = load_panel("gen1/unseen").tasks[2]
ANSWER = cast("list[str]", TASK.secret["answers"])[0]


def started(**settings: Any) -> Search:
    env = Search(**settings)
    env.reset(options={"task": TASK})
    return env


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("<search>Silent Harbor</search>", Parsed(action="<search>Silent Harbor</search>")),
        ("<search>\n a b </search>", Parsed(action="<search>a b</search>")),
        ("<think>so</think><answer> X </answer>.", Parsed(action="<answer>X</answer>")),
        ("<search>a</search><answer>b</answer>", Parsed(action="<search>a</search>")),
        ("<answer>a</answer><search>b</search>", Parsed(action="<answer>a</answer>")),
        ("<search>a <answer>b</answer>", Parsed(action="<answer>b</answer>")),
        ("<search><answer></search>", Parsed(action="<search><answer></search>")),
        ("<answer></answer>", Parsed(action="<answer></answer>")),
        ("<search> </search>", Parsed(invalid="empty_search")),
        ("<search>a", Parsed(invalid="no_call")),
        ("</search>a<search>", Parsed(invalid="no_call")),
        ("<Search>a</Search>", Parsed(invalid="no_call")),
        ("", Parsed(invalid="no_call")),
    ],
)
def test_a_call_is_read_out_of_a_models_text(text: str, parsed: Parsed) -> None:
    assert parse_call(text) == parsed


TAGS = ["<search>", "</search>", "<answer>", "</answer>", "<think>"]
PIECES = [*TAGS, " ", "a", "\n", "<", "search>"]


@settings(max_examples=500)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text())
def test_reading_a_call_equals_search_r1s_expression(text: str) -> None:
    assert read_call(text) == answer_scores.read_call(text)


@pytest.mark.parametrize("piece", [*PIECES, "<search></answer>"])
def test_a_megabyte_is_parsed_in_linear_time(piece: str) -> None:
    began = time.perf_counter()
    parse_call(piece * (1_000_000 // len(piece)))
    parse_call("<search>" + piece * (1_000_000 // len(piece)))
    assert time.perf_counter() - began < 2.0  # linear: about 0.01 s; quadratic: hours


def test_passages_are_shown_as_in_search_r1() -> None:
    first, second = (Passage(id=t, contents=f'"{t}"\n{t}\nis.') for t in ("A B", "C"))
    assert show([first, second]) == (
        '<information>Doc 1(Title: "A B") A B\nis.\nDoc 2(Title: "C") C\nis.</information>'
    )
    assert show([]) == NOTHING_FOUND


def test_a_search_shows_as_many_passages_as_were_asked_for() -> None:
    for topk in (1, 3):
        env = started(topk=topk)
        observation, reward, terminated, truncated, _ = env.step(env.expert_action())
        assert observation.text.count("(Title: ") == topk
        assert observation.text.startswith("<information>Doc 1(Title: ")
        assert observation.choices is None
        assert (reward, terminated, truncated) == (0.0, False, False)


def test_words_of_no_passage_find_nothing() -> None:
    observation = started().step("<search>xyzzy</search>")[0]
    assert observation.text == NOTHING_FOUND


def test_a_text_without_a_call_costs_a_turn_and_changes_nothing() -> None:
    env = started()
    before = env.step(env.expert_action())[0]
    observation, reward, terminated, truncated, _ = env.step("I wonder.")
    assert (observation.text, observation.key) == (NO_CALL, before.key)
    assert (reward, terminated, truncated) == (0.0, False, False)


def test_a_key_is_what_was_read_however_it_was_found() -> None:
    one, other = started(topk=1), started(topk=1)
    names = [load_world().things[int(n)].name for n in cast("list[str]", TASK.secret["path"])[:2]]
    for name in names:
        last = one.step(f"<search>{name}</search>")[0]
    for name in (names[1], names[0].upper(), names[1]):
        again = other.step(f"<search>the {name}?</search>")[0]
    assert last.key == again.key
    assert last.text == again.text  # both ended with the second passage
    assert other.step("<search>harbor</search>")[0].key != last.key


@pytest.mark.parametrize(
    ("score", "answer", "reward", "success"),
    [
        ("f1", ANSWER, 1.0, True),
        ("em", f"the {ANSWER}.", 1.0, True),
        ("f1", f"the {ANSWER}", 0.8, True),
        ("f1", ANSWER.split()[0], 2 / 3, False),
        ("em", ANSWER.split()[0], 0.0, False),
        ("f1", "", 0.0, False),
    ],
)
def test_an_answer_ends_the_episode_with_its_score(
    score: Any, answer: str, reward: float, success: bool
) -> None:
    env = started(score=score)
    assert (env.outcome().score, env.outcome().success) == (0.0, False)
    _, given_reward, terminated, _, _ = env.step(f"<answer>{answer}</answer>")
    assert terminated
    assert given_reward == env.outcome().score == pytest.approx(reward)
    assert env.outcome().success is success
    with pytest.raises(UsageError, match="call reset"):
        env.step("<search>more</search>")


def test_any_accepted_answer_is_right() -> None:
    task = Task(
        id="x", split="mine", seed=0,
        public={"question": "Who?", "corpus": "gen1"}, secret={"answers": ["Ann Lee", "A. Lee"]},
    )  # fmt: skip
    for answer in ("Ann Lee", "a lee"):
        env = Search()
        env.reset(options={"task": task})
        env.step(f"<answer>{answer}</answer>")
        assert env.outcome().success


@pytest.mark.parametrize("topk", [1, 3])
@pytest.mark.parametrize("split", SIZES)
def test_the_expert_answers_every_question_in_as_many_searches_as_hops(
    split: str, topk: int
) -> None:
    env = Search(topk=topk)
    for task in load_panel(split).tasks[:600]:
        seen = played(env, task)
        assert env.outcome().success, task.id
        searches, hops = len(seen) - 2, len(cast("list[str]", task.secret["path"]))
        # A second passage may happen to be the next one on the way: it mentions the first thing.
        assert searches == hops if topk == 1 else 1 <= searches <= hops


def test_slips_are_wrong_searches_and_bad_form_and_never_end_an_episode() -> None:
    tasks = load_panel("gen1/train").tasks[:150]
    pool = InlinePool("agentgym/Search-v0", max_turns=12, args={"topk": 1})
    found = list(demonstrate(pool, tasks, seed=1, mistakes=0.3))
    assert len(found) == len(tasks)
    slips = [turn for each in found for turn in each.turns if turn.is_mistake]
    assert len(slips) > 100
    kinds = {(parse_call(turn.action).action or "none")[:7] for turn in slips}
    assert kinds == {"<search", "none"}
    assert "Answered." not in {turn.observation.text for turn in slips}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"topk": 0}, "topk must be at least 1"),
        ({"score": "bleu"}, "score must be 'f1' or 'em', not 'bleu'"),
        ({"retriever": "bm25"}, "unknown retriever 'bm25'; did you mean 'bm25s'"),
        ({"retriever": {"k1": 1.2}}, "a retriever needs a name"),
        ({"retriever": {"name": "bm25s", "k": 1}}, "retriever 'bm25s', setting 'k': Extra"),
        ({"retriever": {"name": "bm25s", "b": 2}}, "setting 'b': .*less than or equal to 1"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"(?s){message}"):
        Search(**settings)


def test_gymnasiums_checker_passes() -> None:
    check_env(gymnasium.make("agentgym/Search-v0").unwrapped)


def test_the_turn_limit_is_eight() -> None:
    env = gymnasium.make("agentgym/Search-v0", disable_env_checker=True)
    env.reset(options={"task": TASK})
    ends = [env.step("hm")[2:4] for _ in range(8)]
    assert ends[6:] == [(False, False), (False, True)]


def test_a_seed_fixes_the_task_and_the_walk() -> None:
    def walk(seed: int) -> list[Observation]:
        env, generator = Search(), random.Random(0)
        seen = [env.reset(seed=seed)[0]]
        for _ in range(10):
            name = generator.choice(load_world().things).name
            seen.append(env.step(f"<search>{name}</search>")[0])
        return seen

    assert walk(3) == walk(3)
    assert walk(3)[0] != walk(4)[0]


FUZZED = started()


@given(st.text(st.characters()) | st.binary().map(lambda raw: raw.decode("latin-1")))
@example("\0")
@example("\ud800\udfff")
@example("harbor " * 100_000)
def test_every_string_is_a_legal_query_and_a_legal_action(text: str) -> None:
    assert FUZZED.step(text.replace("</answer>", ""))[1:4] == (0.0, False, False)
    assert FUZZED.step(f"<search>{text}</search>")[1:4] == (0.0, False, False)
