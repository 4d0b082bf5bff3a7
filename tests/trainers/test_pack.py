"""Packing: which tokens are trained, with which advantage; and what was really sampled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from scored import episode, group, turn

from agentgym.trainers.engines.recorded import Sampled
from agentgym.trainers.pack import TrainSequence, assign, clip_scales, count_reencoded, pack
from agentgym.types import Credited, Episode, EpisodeId, Finish, Turn


def spoken(
    prompt_ids: Sequence[int],
    action_ids: Sequence[int],
    *,
    segment: int = 0,
    finish: Finish = "stop",
) -> Turn:
    """A turn with these tokens; the logprob of token 7 is -7."""
    return replace(
        turn("go", "k", finish=finish),
        segment=segment,
        prompt_ids=tuple(prompt_ids),
        action_ids=tuple(action_ids),
        logprobs=tuple(-float(token) for token in action_ids),
    )


def credited_episode(turns: Sequence[Turn], advantages: Sequence[float]) -> Episode:
    return replace(episode(turns, 1.0), advantages=tuple(advantages))


def test_every_sampled_token_gets_its_turns_advantage_and_no_other_token_any() -> None:
    turns = [spoken([1, 2, 3], [10, 11]), spoken([4], [12, 13, 14]), spoken([5, 6], [15])]
    (sequence,) = pack([credited_episode(turns, [0.5, -1.0, 2.0])], mask_truncated=True)
    assert sequence == TrainSequence(
        episode=EpisodeId(step=0, group=0, member=0),
        ids=(1, 2, 3, 10, 11, 4, 12, 13, 14, 5, 6, 15),
        trained=(3, 4, 6, 7, 8, 11),
        turns=(0, 0, 1, 1, 1, 2),
        old_logprobs=(-10.0, -11.0, -12.0, -13.0, -14.0, -15.0),
        advantages=(0.5, 0.5, -1.0, -1.0, -1.0, 2.0),
    )


def test_a_token_counts_by_how_much_likelier_the_model_had_made_it_than_the_sampler() -> None:
    plain = spoken([1], [2])
    # A model with p = 0.5, 0.3, 0.2. Top-p of 0.7 keeps 0.8, so the first token is drawn with
    # probability 0.5 / 0.8: p / that is 0.8.
    cut = replace(spoken([1], [7]), logprobs=(math.log(0.5),), kept=(0.8,))
    # Temperature 0.5 squares: 0.25, 0.09, 0.04 of 0.38. The last is drawn with 0.04 / 0.38,
    # and 0.2 / that is 1.9.
    cold = replace(spoken([1], [8]), logprobs=(math.log(0.2),), kept=(0.38,), temperature=0.5)
    (sequence,) = pack([credited_episode([plain, cut, cold], [1.0, 1.0, 1.0])], mask_truncated=True)
    assert sequence.importance == pytest.approx((1.0, 0.8, 1.9))
    (sequence,) = pack([credited_episode([plain], [1.0])], mask_truncated=True)
    assert sequence.importance is None


@pytest.mark.parametrize(("mask_truncated", "trained"), [(True, (1, 5)), (False, (1, 3, 5))])
def test_a_cut_turn_is_read_by_later_ones_and_trained_only_if_asked(
    mask_truncated: bool, trained: tuple[int, ...]
) -> None:
    turns = [spoken([1], [10]), spoken([2], [11], finish="length"), spoken([3], [12])]
    (sequence,) = pack([credited_episode(turns, [1.0, 2.0, 3.0])], mask_truncated=mask_truncated)
    assert sequence.ids == (1, 10, 2, 11, 3, 12)
    assert sequence.trained == trained


def test_each_segment_is_a_sequence_and_one_without_a_trained_token_is_none() -> None:
    turns = [
        spoken([1], [10]),
        spoken([1, 10, 2], [11], segment=1, finish="length"),
        spoken([1, 11, 3], [12], segment=2),
        spoken([4], [13], segment=2),
    ]
    first, last = pack([credited_episode(turns, [1.0, 2.0, 3.0, 4.0])], mask_truncated=True)
    assert (first.ids, first.trained, first.turns) == ((1, 10), (1,), (0,))
    assert (last.ids, last.trained, last.turns) == ((1, 11, 3, 12, 4, 13), (3, 5), (2, 3))
    assert last.advantages == (3.0, 4.0)


def test_episodes_without_credit_or_turns_pack_to_nothing() -> None:
    uncredited = episode([spoken([1], [10])], 1.0)
    assert pack([uncredited, credited_episode([], [])], mask_truncated=True) == []


def test_advantages_go_to_valid_members_in_order_and_to_nobody_else() -> None:
    members = group(
        episode([turn("a", "x")], 1.0),
        episode([turn("a", "x"), turn("b", "y")], None),
        episode([turn("a", "x"), turn("b", "y")], 0.0),
    )
    credited = Credited(advantages=(((0.5,), (-0.25, -0.75)),))
    (assigned,) = assign([members], credited)
    assert [member.advantages for member in assigned.episodes] == [(0.5,), None, (-0.25, -0.75)]
    assert [replace(member, advantages=None) for member in assigned.episodes] == list(
        members.episodes
    )


@pytest.mark.parametrize(
    ("advantages", "said"),
    [
        ((), "1 groups but advantages for 0"),
        (((),), "task 'task': 1 valid members, advantages for 0"),
        ((((0.5, 0.5),),), "step=0/group=0/member=0: 1 turns, 2 advantages"),
    ],
)
def test_credit_of_another_shape_is_refused_with_both_lengths(
    advantages: tuple[tuple[tuple[float, ...], ...], ...], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        assign([group(episode([turn("a", "x")], 1.0))], Credited(advantages=advantages))


def test_a_schemes_token_advantages_reach_their_tokens() -> None:
    turns = [spoken([1, 2], [10, 11]), spoken([3], [12, 13], finish="length"), spoken([4], [14])]
    members = group(episode([spoken([9], [9])], None), episode(turns, 1.0))
    tokens = ((0.5, -0.5), (1.0, 3.0), (7.0,))
    credited = Credited(advantages=(((0.0, 2.0, 7.0),),), token_advantages=((tokens,),))
    (assigned,) = assign([members], credited)
    assert [e.token_advantages for e in assigned.episodes] == [None, tokens]
    (sequence,) = pack(assigned.episodes, mask_truncated=True)
    assert (sequence.trained, sequence.advantages) == ((2, 3, 8), (0.5, -0.5, 7.0))


def test_token_advantages_of_another_shape_are_refused_with_both_lengths() -> None:
    members = group(episode([spoken([1], [10, 11])], 1.0))
    credited = Credited(advantages=(((0.5,),),), token_advantages=((((0.5,),),),))
    with pytest.raises(ValueError, match=r"member=0: turns of \[2\] tokens, credit for \[1\]"):
        assign([members], credited)


def test_a_turns_clip_scale_goes_with_its_trained_tokens() -> None:
    turns = [spoken([1, 2], [10, 11]), spoken([3], [12, 13], finish="length"), spoken([4], [14])]
    members = group(episode([spoken([9], [9])], None), episode(turns, 1.0))
    advantages = (((0.0, 2.0, 7.0),),)
    credited = Credited(advantages=advantages, clip_scales=(((0.8, 0.9, 1.2),),))
    (assigned,) = assign([members], credited)
    scales = clip_scales([members], credited)
    (sequence,) = pack(assigned.episodes, mask_truncated=True, scales=scales)
    assert (sequence.trained, sequence.clip_scales) == ((2, 3, 8), (0.8, 0.8, 1.2))
    assert clip_scales([members], Credited(advantages=advantages)) is None


TURNS = [spoken([1, 2], [10, 11]), spoken([3], [12, 13], finish="length"), spoken([4], [14])]
WHERE = EpisodeId(step=0, group=0, member=0)
SAMPLED = {
    (WHERE, 0): Sampled(prefix_hash=hash((1, 2)), ids=(10, 11)),
    (WHERE, 1): Sampled(prefix_hash=hash((1, 2, 10, 11, 3)), ids=(12, 13)),
    (WHERE, 2): Sampled(prefix_hash=hash((1, 2, 10, 11, 3, 12, 13, 4)), ids=(14,)),
}


def packed(*, mask_truncated: bool) -> TrainSequence:
    (sequence,) = pack([credited_episode(TURNS, [1.0, 1.0, 1.0])], mask_truncated=mask_truncated)
    return sequence


@pytest.mark.parametrize("mask_truncated", [True, False])
def test_tokens_that_are_as_sampled_are_no_reencoded_ones(mask_truncated: bool) -> None:
    assert count_reencoded([packed(mask_truncated=mask_truncated)], SAMPLED) == 0


def changed(ids: tuple[int, ...], place: int, token: int) -> tuple[int, ...]:
    return (*ids[:place], token, *ids[place + 1 :])


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ({"ids": changed(packed(mask_truncated=False).ids, 8, 99)}, 1),  # the last action
        ({"ids": changed(packed(mask_truncated=False).ids, 3, 99)}, 4),  # and all behind it
        ({"ids": changed(packed(mask_truncated=False).ids, 0, 99)}, 5),  # the first prompt
        ({"trained": (2, 3, 5, 6, 7)}, 1),  # a prompt token instead of an action's
        ({"turns": (0, 0, 1, 1, 1)}, 1),  # a token of another turn
        ({"turns": (0, 0, 1, 1, 3)}, 1),  # of a turn that nobody sampled
        ({"episode": replace(WHERE, member=1)}, 5),
    ],
)
def test_a_corrupted_sequence_is_counted(change: dict[str, object], count: int) -> None:
    sequence = replace(packed(mask_truncated=False), **change)  # type: ignore[arg-type]
    assert count_reencoded([sequence], SAMPLED) == count
