"""Reward channels' questions, answered by the policy in one pass without gradients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from agentgym.panel import Panel
from agentgym.trainers.policy import Policy
from agentgym.trainers.rewards import Answer, Measures, Question, Reward, Text
from agentgym.types import Episode, Group


@dataclass(frozen=True, slots=True, kw_only=True)
class _Probe:
    """One text behind one state, as tokens."""

    ids: tuple[int, ...]
    scored: tuple[int, ...]
    """Positions in `ids` of the scored tokens; empty where it does not fit the context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """Groups with their channels, and what the channels measured."""

    groups: tuple[Group, ...]
    measured: tuple[dict[str, float], ...]
    """`CHANNEL/NAME` of each episode and channel."""


def fill_channels(
    groups: Sequence[Group],
    panel: Panel,
    rewards: Mapping[str, Reward],
    *,
    policy: Policy,
    reference: Policy | None = None,
) -> Filled:
    """The groups with every reward channel written on the turns of valid episodes.

    All questions of all channels and episodes are answered together, since a state that several
    ask about, or several members share, is read once.

    Args:
        reference: answers frozen questions; must be there when one is asked.
    """
    if not rewards:
        return Filled(groups=tuple(groups), measured=())
    asked = [
        (episode, name, tuple(reward.asks(episode, panel.get(episode.task_id))))
        for group in groups
        for episode in group.valid
        for name, reward in rewards.items()
    ]
    answers = _answer_all([(episode, q) for episode, _, qs in asked for q in qs], policy, reference)
    values: dict[tuple[object, str], Sequence[float | None]] = {}
    measured: list[dict[str, float]] = []
    for episode, name, questions in asked:
        own = [next(answers) for _ in questions]
        task = panel.get(episode.task_id)
        reward = rewards[name]
        values[episode.id, name] = reward.score(episode, task, own)
        if isinstance(reward, Measures):
            found = reward.measure(episode, task, own)
            measured.append({f"{name}/{key}": value for key, value in found.items()})

    def filled(episode: Episode) -> Episode:
        if not episode.valid:
            return episode
        turns = tuple(
            replace(turn, channels={name: values[episode.id, name][k] for name in rewards})
            for k, turn in enumerate(episode.turns)
        )
        return replace(episode, turns=turns)

    done = tuple(
        replace(group, episodes=tuple(filled(episode) for episode in group.episodes))
        for group in groups
    )
    return Filled(groups=done, measured=tuple(measured))


def state_ids(episode: Episode, turn: int) -> tuple[int, ...]:
    """What the policy saw when it began turn `turn + 1` (turns count from 1; 0: the start)."""
    segment = episode.turns[turn].segment
    ids: tuple[int, ...] = ()
    for earlier in episode.turns[:turn]:
        if earlier.segment == segment:
            ids += earlier.prompt_ids + earlier.action_ids
    return ids + episode.turns[turn].prompt_ids


def _answer_all(
    asked: Sequence[tuple[Episode, Question]], policy: Policy, reference: Policy | None
) -> Iterator[Answer]:
    """Answers parallel to the questions, each from the policy that it is for."""
    current = answer([each for each in asked if not each[1].frozen], policy)
    to_reference = [each for each in asked if each[1].frozen]
    assert reference is not None or not to_reference, "the trainer keeps a reference for these"
    frozen = answer(to_reference, reference) if reference is not None else iter(())
    for _, question in asked:
        yield next(frozen if question.frozen else current)


def answer(asked: Sequence[tuple[Episode, Question]], policy: Policy) -> Iterator[Answer]:
    """Answers parallel to the questions, each distinct (state, text) scored once.

    The states of an episode are prefixes of each other, and members share the first: as a token
    tree, all of them cost little more than the episodes' own tokens.
    """
    probes: dict[tuple[tuple[int, ...], Text], _Probe] = {}
    keys: list[list[tuple[tuple[int, ...], Text]]] = []
    for episode, question in asked:
        state = state_ids(episode, question.turn)
        keys.append([(state, text) for text in question.texts])
        for key in keys[-1]:
            if key not in probes:
                probes[key] = _probe(key[0], key[1], policy)
    fitting = {key: probe for key, probe in probes.items() if probe.scored}
    ids, scored = [p.ids for p in fitting.values()], [p.scored for p in fitting.values()]
    with torch.no_grad():
        flat = policy.logprobs(ids, scored)
    parts = flat.split([len(places) for places in scored])
    scores = {key: tuple(part.tolist()) for key, part in zip(fitting, parts, strict=True)}
    for asked_keys in keys:
        yield Answer(logprobs=tuple(scores.get(key) for key in asked_keys))


def _probe(state: tuple[int, ...], text: Text, policy: Policy) -> _Probe:
    encoded = policy.tokenizer(text.text, add_special_tokens=False, return_offsets_mapping=True)
    begin, end = text.span
    places = [
        len(state) + place
        for place, (first, last) in enumerate(encoded["offset_mapping"])
        if first < end and last > begin
    ]
    ids = (*state, *encoded["input_ids"])
    fits = len(ids) <= policy.context
    return _Probe(ids=ids, scored=tuple(places) if fits else ())
