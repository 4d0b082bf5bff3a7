"""Generalised advantages by their definition as a discounted sum of temporal differences."""

from __future__ import annotations

from collections.abc import Sequence


def gae(
    rewards: Sequence[float], values: Sequence[float], *, gamma: float, lam: float
) -> list[float]:
    """The advantage of every decision of one chain."""
    ahead = [*values, 0.0][1:]
    deltas = [r + gamma * b - a for r, a, b in zip(rewards, values, ahead, strict=True)]
    return [
        sum((gamma * lam) ** (later - now) * deltas[later] for later in range(now, len(deltas)))
        for now in range(len(deltas))
    ]


Turns = Sequence[tuple[float, Sequence[float]]]
"""(reward, values of its tokens) of every turn of one episode; a turn has a token."""


def by_turns(turns: Turns, *, gamma: float, lam: float) -> list[float]:
    """An advantage a turn."""
    return gae([r for r, _ in turns], [values[0] for _, values in turns], gamma=gamma, lam=lam)


def by_tokens(turns: Turns, *, gamma: float, lam: float) -> list[list[float]]:
    """An advantage a token, over the whole episode."""
    rewards = [p for r, values in turns for p in [0.0] * (len(values) - 1) + [r]]
    flat = gae(rewards, [v for _, values in turns for v in values], gamma=gamma, lam=lam)
    rows = []
    for _, values in turns:
        rows.append(flat[: len(values)])
        flat = flat[len(values) :]
    return rows


def by_levels(turns: Turns, *, gamma_turn: float, gamma: float, lam: float) -> list[list[float]]:
    """An advantage a token: over turns first, then inside each turn."""
    ends = [values[-1] for _, values in turns]
    upper = gae([r for r, _ in turns], ends, gamma=gamma_turn, lam=lam)
    return [
        gae([0.0] * (len(values) - 1) + [up + end], values, gamma=gamma, lam=lam)
        for (_, values), up, end in zip(turns, upper, ends, strict=True)
    ]
