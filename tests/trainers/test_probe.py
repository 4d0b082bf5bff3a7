"""Reward channels' questions: answered together as they would be one by one."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import small_recipe

from agentgym.envs.toys.lookup import Lookup
from agentgym.panel import Panel
from agentgym.pool import InlinePool
from agentgym.render import ChatTemplate, Renderer
from agentgym.rollout import Agent, Start, play_group
from agentgym.trainers.engines.scripted import ScriptedEngine
from agentgym.trainers.imitate import build_model
from agentgym.trainers.metrics import join
from agentgym.trainers.policy import Policy
from agentgym.trainers.probe import answer, fill_channels, state_ids
from agentgym.trainers.rewards import Answer, Question, Reward, Text
from agentgym.trainers.rewards.information_gain import InformationGain
from agentgym.types import Episode, EpisodeId, Group, Status, Task

LOOKUP = "agentgym/Lookup-v0"
PANEL = Lookup.panel("gen1/train")


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    """An untrained tiny model that reads Lookup."""
    folder = tmp_path_factory.mktemp("lookup")
    build_model(small_recipe("tiny", env={"id": LOOKUP}), PANEL, folder)
    return Policy.load(folder, device="cpu")


def played(policy: Policy, lines: Sequence[Sequence[str]], *, history: int | None = None) -> Group:
    """A group of one task whose members say these lines."""
    template = ChatTemplate(policy.tokenizer)
    script = {(0, member): said for member, said in enumerate(lines)}
    engine = ScriptedEngine(script, encode=lambda text: (*template.encode(text), template.end_id))
    agent = Agent(
        engine=engine,
        renderer=Renderer(template, history=history),
        context=512,
        max_turn_tokens=50,
    )
    start = Start(
        id=EpisodeId(step=0, group=0, member=0),
        task=PANEL.tasks[3],
        panel_hash=PANEL.hash,
        env=LOOKUP,
        seed=0,
    )
    return asyncio.run(play_group(InlinePool(LOOKUP), agent, start, size=len(lines)))


PLAN: Any = PANEL.tasks[3].secret["plan"]
LINES = [list(PLAN), ["Hm.", *PLAN], ["answer[nowhere]"], ["lookup[Ada]", "answer[Rome]"], ["Hm."]]
"""Three turns, four, one, two; and a script that ends too early, so an engine error."""


def slow_logprobs(policy: Policy, state: Sequence[int], text: Text) -> list[float]:
    """The scored tokens' logprobs, from the full logits of one sequence."""
    encoded = policy.tokenizer(text.text, add_special_tokens=False, return_offsets_mapping=True)
    ids = [*state, *encoded["input_ids"]]
    with torch.no_grad():
        logprobs = policy.model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    begin, end = len(text.prefix), len(text.prefix) + len(text.scored)
    return [
        float(logprobs[len(state) + i - 1, encoded["input_ids"][i]])
        for i, (first, last) in enumerate(encoded["offset_mapping"])
        if any(begin <= char < end for char in range(first, last))
    ]


TEXTS = (
    Text(prefix="answer[", scored="Rome", suffix="]"),
    Text(scored="Oslo"),
    Text(prefix="I say ", scored="Quito or Zürich"),
)


@pytest.mark.parametrize("history", [None, 1])
def test_answers_are_those_of_one_slow_pass_each(policy: Policy, history: int | None) -> None:
    group = played(policy, LINES, history=history)
    asked = [
        (episode, Question(turn=turn, texts=TEXTS))
        for episode in group.valid
        for turn in range(len(episode.turns))
    ]
    answers = list(answer(asked, policy))
    assert len(answers) == len(asked) == 3 + 4 + 1 + 2
    for (episode, question), found in zip(asked, answers, strict=True):
        upto = episode.turns[: question.turn + 1]
        if history is None:
            state = [i for t in upto[:-1] for i in (*t.prompt_ids, *t.action_ids)]
            state += upto[-1].prompt_ids
        else:
            last = [t for t in upto if t.segment == upto[-1].segment]
            state = [i for t in last[:-1] for i in (*t.prompt_ids, *t.action_ids)]
            state += last[-1].prompt_ids
        assert state_ids(episode, question.turn) == tuple(state)
        for text, logprobs in zip(TEXTS, found.logprobs, strict=True):
            assert logprobs == pytest.approx(slow_logprobs(policy, state, text), abs=1e-5)


def test_the_information_gain_of_a_turn_is_the_rise_of_the_answers_score(policy: Policy) -> None:
    group = played(policy, LINES)
    channel = InformationGain(prefix="answer[", suffix="]")
    done = fill_channels([group], PANEL, {"information_gain": channel}, policy=policy)
    (filled,) = done.groups
    answers: Any = PANEL.tasks[3].secret["answers"]
    text = Text(prefix="answer[", scored=answers[0], suffix="]")
    ends = []
    for before, after in zip(group.episodes, filled.episodes, strict=True):
        plain = tuple(replace(turn, channels={}) for turn in after.turns)
        assert replace(after, turns=plain) == before
        if not before.valid:
            assert after == before
            continue
        scores = []
        for turn in range(len(before.turns)):
            logprobs = slow_logprobs(policy, state_ids(before, turn), text)
            scores.append(sum(logprobs) / len(logprobs))
        gains = [turn.channels["information_gain"] for turn in after.turns]
        assert gains[-1] is None
        assert gains[:-1] == pytest.approx(
            [b - a for a, b in zip(scores, scores[1:], strict=False)], abs=1e-5
        )
        texts = [turn.observation.text for turn in before.turns[:-1]]
        told = [turn for turn, text in enumerate(texts, start=1) if f" {answers[0]}." in text]
        if told:
            ends.append((scores[0], scores[told[0]]))
    # Means over the same episodes: the plan, begun at once or a turn later; the others never read
    # where the friend lives.
    assert len(ends) == 2
    assert join(done.measured) == pytest.approx(
        {
            "information_gain/ell_start": sum(start for start, _ in ends) / 2,
            "information_gain/ell_gold": sum(gold for _, gold in ends) / 2,
        },
        abs=1e-5,
    )


def test_frozen_questions_go_to_the_reference_and_no_update_moves_their_answers(
    policy: Policy,
) -> None:
    group = played(policy, LINES)
    moved = Policy(copy.deepcopy(policy.model), policy.tokenizer)
    with torch.no_grad():
        for parameter in moved.model.parameters():
            parameter.mul_(1.1)
    channels: dict[str, Reward] = {
        "frozen": InformationGain(scorer="reference"),
        "moving": InformationGain(),
    }
    (before,) = fill_channels([group], PANEL, channels, policy=policy, reference=policy).groups
    (after,) = fill_channels([group], PANEL, channels, policy=moved, reference=policy).groups

    def gains(name: str, of: Group) -> list[float | None]:
        return [turn.channels[name] for episode in of.valid for turn in episode.turns]

    assert gains("frozen", after) == pytest.approx(gains("frozen", before), abs=1e-5)
    assert gains("frozen", before) == pytest.approx(gains("moving", before), abs=1e-5)
    assert gains("moving", after) != pytest.approx(gains("moving", before), abs=1e-3)


def test_the_end_of_the_context_gives_no_answer_rather_than_a_wrong_one(policy: Policy) -> None:
    (episode,) = played(policy, [list(PLAN)]).episodes
    long = Text(scored="Rome " * 500)
    (found,) = answer([(episode, Question(turn=0, texts=(long, TEXTS[0])))], policy)
    assert found.logprobs[0] is None
    assert found.logprobs[1] is not None


@pytest.mark.parametrize("lines", [[], [["answer[Rome]"]], [["Hm."]]])
def test_nothing_to_ask_is_fine(policy: Policy, lines: list[list[str]]) -> None:
    group = played(policy, lines)
    rewards = {"information_gain": InformationGain()}
    (filled,) = fill_channels([group], PANEL, rewards, policy=policy).groups
    assert [e.status for e in filled.episodes] == [e.status for e in group.episodes]
    for episode in filled.valid:
        assert [turn.channels for turn in episode.turns] == [{"information_gain": None}]
    assert fill_channels([group], PANEL, {}, policy=policy).groups == (group,)


class Twice:
    """A channel that asks the same of every state, and of the panel's secrets nothing."""

    def asks(self, episode: Episode, task: Task) -> Sequence[Question]:
        return [Question(turn=0, texts=(TEXTS[0], TEXTS[0]))]

    def score(
        self, episode: Episode, task: Task, answers: Sequence[Answer]
    ) -> tuple[float | None, ...]:
        (found,) = answers
        assert found.logprobs[0] == found.logprobs[1]
        return tuple(sum(found.logprobs[0] or ()) for _ in episode.turns)


def test_channels_keep_their_own_answers_and_leave_no_gradient(policy: Policy) -> None:
    group = played(policy, LINES)
    rewards: dict[str, Reward] = {"twice": Twice(), "information_gain": InformationGain()}
    (filled,) = fill_channels([group], PANEL, rewards, policy=policy).groups
    alone = {
        name: fill_channels([group], PANEL, {name: reward}, policy=policy).groups[0]
        for name, reward in rewards.items()
    }
    for name, reference in alone.items():
        for episode, expected in zip(filled.valid, reference.valid, strict=True):
            assert [turn.channels[name] for turn in episode.turns] == pytest.approx(
                [turn.channels[name] for turn in expected.turns], abs=1e-5
            )
    assert all(parameter.grad is None for parameter in policy.model.parameters())


def test_no_secret_reaches_the_stored_episodes(policy: Policy, tmp_path: Path) -> None:
    secret = {"answers": ["CANARY"], "plan": ["lookup[CANARY]"]}
    tasks = tuple(replace(task, secret=secret) for task in PANEL.tasks)
    panel = Panel(name=PANEL.name, env=PANEL.env, tasks=tasks)
    group = played(policy, [["Hm.", "answer[Rome]"]])
    rewards = {"information_gain": InformationGain()}
    (filled,) = fill_channels([group], panel, rewards, policy=policy).groups
    assert filled.valid[0].turns[0].channels["information_gain"] is not None
    assert filled.valid[0].status is Status.FAILURE
    assert "CANARY" not in repr(filled)
