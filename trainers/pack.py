"""Episodes with credit to training sequences: where advantages become tokens' advantages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from agentgym.trainers.engines.recorded import Sampled
from agentgym.types import Credited, Episode, EpisodeId, Group, Turn

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSequence:
    """One segment of one episode: a token sequence and its trained positions."""

    episode: EpisodeId
    ids: tuple[int, ...]
    trained: tuple[int, ...]
    """Positions in `ids` of the tokens that are trained; each is >= 1."""
    turns: tuple[int, ...]
    """Parallel to `trained`: the token's turn, counted from 0."""
    old_logprobs: tuple[float, ...]
    """Parallel to `trained`."""
    advantages: tuple[float, ...]
    """Parallel to `trained`: the token's own advantage, or its turn's."""
    clip_scales: tuple[float, ...] | None = None
    """Parallel to `trained`: its turn's, where the credit scheme gives one."""
    importance: tuple[float, ...] | None = None
    """Parallel to `trained`: how much likelier the model had made the token than the sampler did,
    where that drew from another distribution."""
    images: tuple[bytes, ...] = ()
    """The pictures that the environment showed up to the last turn."""


def assign(groups: Sequence[Group], credited: Credited) -> tuple[Group, ...]:
    """The groups with advantages written on their valid episodes; the only writer of them."""
    if len(groups) != len(credited.advantages):
        raise ValueError(f"{len(groups)} groups but advantages for {len(credited.advantages)}")
    tokens = by_episode(groups, credited.token_advantages)
    done = []
    for group, given in zip(groups, credited.advantages, strict=True):
        valid = group.valid
        if len(valid) != len(given):
            raise ValueError(
                f"task '{group.task_id}': {len(valid)} valid members, advantages for {len(given)}"
            )
        credit: dict[EpisodeId, tuple[float, ...]] = {}
        for episode, advantages in zip(valid, given, strict=True):
            if len(advantages) != len(episode.turns):
                raise ValueError(
                    f"{episode.id}: {len(episode.turns)} turns, {len(advantages)} advantages"
                )
            credit[episode.id] = advantages
        episodes = tuple(
            replace(e, advantages=credit.get(e.id), token_advantages=tokens.get(e.id))
            for e in group.episodes
        )
        done.append(replace(group, episodes=episodes))
    return tuple(done)


def by_episode(
    groups: Sequence[Group], given: Sequence[Sequence[tuple[tuple[T, ...], ...]]] | None
) -> dict[EpisodeId, tuple[tuple[T, ...], ...]]:
    """What a credit scheme gave token by token, by episode; nothing of None.

    Args:
        given: `[group][valid member][turn][token]`.

    Raises:
        ValueError: there is not one for every sampled token of every valid member.
    """
    found: dict[EpisodeId, tuple[tuple[T, ...], ...]] = {}
    for group, rows in zip(groups, given or (), strict=given is not None):
        for episode, turns in zip(group.valid, rows, strict=True):
            sizes = [len(turn.action_ids) for turn in episode.turns]
            if [len(row) for row in turns] != sizes:
                raise ValueError(
                    f"{episode.id}: turns of {sizes} tokens, credit for {[*map(len, turns)]}"
                )
            found[episode.id] = turns
    return found


def clip_scales(
    groups: Sequence[Group], credited: Credited
) -> dict[EpisodeId, tuple[float, ...]] | None:
    """What credit has to say on the clipping range of each turn, by episode."""
    if credited.clip_scales is None:
        return None
    return {
        episode.id: scales
        for group, rows in zip(groups, credited.clip_scales, strict=True)
        for episode, scales in zip(group.valid, rows, strict=True)
    }


def pack(
    episodes: Iterable[Episode],
    *,
    mask_truncated: bool,
    scales: Mapping[EpisodeId, tuple[float, ...]] | None = None,
) -> list[TrainSequence]:
    """One sequence per segment that has a trained token.

    Every sampled token of a turn, thought and end token included, gets the turn's advantage, or
    its own where the credit scheme tells tokens apart.

    Args:
        mask_truncated: leave out turns that were cut by the token limit.
        scales: each turn's clip scale; see `clip_scales`.
    """
    sequences = []
    for episode in episodes:
        if episode.advantages is None:
            continue
        for segment in range(episode.turns[-1].segment + 1 if episode.turns else 0):
            sequence = _pack_segment(episode, segment, mask_truncated=mask_truncated)
            if scales is not None:
                by_turn = scales[episode.id]
                by_token = tuple(by_turn[turn] for turn in sequence.turns)
                sequence = replace(sequence, clip_scales=by_token)
            if sequence.trained:
                sequences.append(sequence)
    return sequences


def _pack_segment(episode: Episode, segment: int, *, mask_truncated: bool) -> TrainSequence:
    assert episode.advantages is not None
    ids: list[int] = []
    trained: list[int] = []
    turns: list[int] = []
    old: list[float] = []
    advantages: list[float] = []
    importance: list[float] = []
    for number, (turn, advantage) in enumerate(zip(episode.turns, episode.advantages, strict=True)):
        if turn.segment != segment:
            continue
        ids.extend(turn.prompt_ids)
        if not (mask_truncated and turn.finish == "length"):
            size = len(turn.action_ids)
            trained.extend(range(len(ids), len(ids) + size))
            turns.extend([number] * size)
            old.extend(turn.logprobs)
            importance.extend(_importance(turn))
            own = episode.token_advantages
            advantages.extend([advantage] * size if own is None else own[number])
        ids.extend(turn.action_ids)
    return TrainSequence(
        episode=episode.id,
        ids=tuple(ids),
        trained=tuple(trained),
        turns=tuple(turns),
        old_logprobs=tuple(old),
        advantages=tuple(advantages),
        importance=tuple(importance) if any(turn.kept for turn in episode.turns) else None,
        images=_images(episode, segment),
    )


def _images(episode: Episode, segment: int) -> tuple[bytes, ...]:
    """What was shown before the segment's last action."""
    last = max(number for number, turn in enumerate(episode.turns) if turn.segment == segment)
    seen = [episode.first, *(turn.observation for turn in episode.turns[:last])]
    return tuple(shown.image for shown in seen if shown is not None and shown.image is not None)


def _importance(turn: Turn) -> list[float]:
    """The model's probability of each sampled token over the sampler's; see `Turn.kept`."""
    if turn.kept is None:
        return [1.0] * len(turn.action_ids)
    rest = 1 - 1 / turn.temperature
    return [
        math.exp(rest * logprob) * kept
        for logprob, kept in zip(turn.logprobs, turn.kept, strict=True)
    ]


def count_reencoded(
    sequences: Iterable[TrainSequence], sampled: Mapping[tuple[EpisodeId, int], Sampled]
) -> int:
    """Trained tokens that are not what the engine sampled, or that follow what it never saw.

    Args:
        sampled: what the engine itself gave, by episode and turn.
    """
    count = 0
    for sequence in sequences:
        positions: dict[int, list[int]] = {}
        for position, turn in zip(sequence.trained, sequence.turns, strict=True):
            positions.setdefault(turn, []).append(position)
        for turn, places in positions.items():
            found = sampled.get((sequence.episode, turn))
            if found is None or hash(sequence.ids[: places[0]]) != found.prefix_hash:
                count += len(places)
                continue
            ids = [sequence.ids[place] for place in places]
            differ = sum(a != b for a, b in zip(ids, found.ids, strict=False))
            count += differ + abs(len(ids) - len(found.ids))
    return count
