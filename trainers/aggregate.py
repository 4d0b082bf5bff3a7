"""From many tokens' losses to one number: what each token counts. Imports no torch.

A sequence is a whole episode: all the tokens that the policy sampled in it and that are trained,
however its turns lie in segments and micro-batches. Rows of single turns would give an episode
weight by its number of turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never

Aggregation: TypeAlias = Literal[
    "token-mean", "seq-mean-token-sum", "seq-mean-token-mean", "seq-mean-token-sum-norm"
]
"""How the losses of a train step's tokens become one: verl's names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What is trained in one train step, over all processes."""

    num_tokens: float
    num_sequences: float
    """Episodes with a trained token."""


def token_weight(
    aggregation: Aggregation, num_tokens: int, counts: Counts, *, horizon: int | None
) -> float:
    """What each trained token of a sequence counts; the step's loss is the weighted sum.

    Two sequences, 2 tokens with a loss of 1 each and 6 tokens with -0.5 each:

    >>> counts = Counts(num_tokens=8, num_sequences=2)
    >>> def loss(mode: Aggregation) -> float:
    ...     short, long = (token_weight(mode, n, counts, horizon=8) for n in (2, 6))
    ...     return 2 * short * 1 + 6 * long * -0.5
    >>> loss("token-mean"), loss("seq-mean-token-sum"), loss("seq-mean-token-mean")
    (-0.125, -0.5, 0.25)
    >>> loss("seq-mean-token-sum-norm")  # -0.5 / 8
    -0.0625

    Args:
        num_tokens: trained tokens of the sequence, at least 1.
        horizon: what "seq-mean-token-sum-norm" divides by; the others ignore it.

    Source: DAPO (2503.14476) for "token-mean"; GRPO (2402.03300) for "seq-mean-token-mean"; Dr.
    GRPO (2503.20783) for "seq-mean-token-sum-norm".
    Deviation: early versions of verl leave out that mode's mean over sequences and divide by the
    padded width, which changes from batch to batch; here the divisor is a constant.
    """
    match aggregation:
        case "token-mean":
            return 1 / counts.num_tokens
        case "seq-mean-token-sum":
            return 1 / counts.num_sequences
        case "seq-mean-token-mean":
            return 1 / (counts.num_sequences * num_tokens)
        case "seq-mean-token-sum-norm":
            assert horizon is not None, "the loss's configuration asks for one"
            return 1 / (counts.num_sequences * horizon)
        case _:
            assert_never(aggregation)
