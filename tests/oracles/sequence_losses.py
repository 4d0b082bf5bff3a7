"""Losses of whole batches of sequences with their derivatives, straight from the equations.

A sequence is a list of (logprob, logprob when sampled, advantage).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

Tokens = Sequence[tuple[float, float, float]]


def gspo(batch: Sequence[Tokens], *, low: float, high: float) -> tuple[float, list[list[float]]]:
    """The mean over sequences of the clipped sequence ratio times the sequence's advantage."""
    loss, slopes = 0.0, []
    for tokens in batch:
        ratio = math.exp(statistics.fmean(now - old for now, old, _ in tokens))
        advantage = tokens[0][2]
        bound = min(max(ratio, 1 - low), 1 + high)
        loss -= min(ratio * advantage, bound * advantage) / len(batch)
        flat = (advantage > 0 and ratio > 1 + high) or (advantage < 0 and ratio < 1 - low)
        # d ratio / d logprob = ratio / number of tokens.
        slope = 0.0 if flat else -advantage * ratio / len(tokens) / len(batch)
        slopes.append([slope] * len(tokens))
    return loss, slopes


def gspo_token(
    batch: Sequence[Tokens], *, low: float, high: float
) -> tuple[float, list[list[float]]]:
    """The mean over sequences of the mean over tokens, each with an advantage of its own."""
    loss, slopes = 0.0, []
    for tokens in batch:
        ratio = math.exp(statistics.fmean(now - old for now, old, _ in tokens))
        bound = min(max(ratio, 1 - low), 1 + high)
        row = []
        for _, _, advantage in tokens:
            share = 1 / len(tokens) / len(batch)
            loss -= min(ratio * advantage, bound * advantage) * share
            flat = (advantage > 0 and ratio > 1 + high) or (advantage < 0 and ratio < 1 - low)
            row.append(0.0 if flat else -advantage * ratio * share)
        slopes.append(row)
    return loss, slopes


def turn_ratio(
    turns: Sequence[Tokens], *, low: float, high: float, scales: Sequence[float]
) -> tuple[float, list[list[float]]]:
    """The mean over all tokens of the clipped ratio of each turn times a token's advantage."""
    count = sum(map(len, turns))
    loss, slopes = 0.0, []
    for tokens, scale in zip(turns, scales, strict=True):
        ratio = math.exp(statistics.fmean(now - old for now, old, _ in tokens))
        floor, roof = 1 - low * scale, 1 + high * scale
        row = []
        for _, _, advantage in tokens:
            loss -= min(ratio * advantage, min(max(ratio, floor), roof) * advantage) / count
            flat = (advantage > 0 and ratio > roof) or (advantage < 0 and ratio < floor)
            row.append(0.0 if flat else -advantage * ratio / count)
        slopes.append(row)
    return loss, slopes


def cispo(batch: Sequence[Tokens], *, low: float, high: float) -> tuple[float, list[list[float]]]:
    """The mean over all tokens of a clipped, constant weight times the log-likelihood."""
    count = sum(map(len, batch))
    loss, slopes = 0.0, []
    for tokens in batch:
        row = []
        for now, old, advantage in tokens:
            weight = min(max(math.exp(now - old), 1 - low), 1 + high)
            loss -= weight * advantage * now / count
            row.append(-weight * advantage / count)
        slopes.append(row)
    return loss, slopes


def ppo(batch: Sequence[Tokens], *, low: float, high: float) -> tuple[float, list[list[float]]]:
    """The mean over all tokens of the clipped surrogate."""
    count = sum(map(len, batch))
    loss, slopes = 0.0, []
    for tokens in batch:
        row = []
        for now, old, advantage in tokens:
            ratio = math.exp(now - old)
            bound = min(max(ratio, 1 - low), 1 + high)
            loss -= min(ratio * advantage, bound * advantage) / count
            flat = (advantage > 0 and ratio > 1 + high) or (advantage < 0 and ratio < 1 - low)
            row.append(0.0 if flat else -advantage * ratio / count)
        slopes.append(row)
    return loss, slopes
