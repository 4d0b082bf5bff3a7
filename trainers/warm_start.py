"""The record of a warm start, or of the control's imitation: numbers, and words for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """Losses in nats per action token."""

    update: int
    train_loss: float
    held_out_loss: float | None
    """None where nothing was held out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStartRecord:
    """What a warm start, or the control's imitation, was, for the report."""

    demonstrations: int
    """Those that won, which are imitated."""
    played: int
    lost: int
    """Ended by the environment without success."""
    late: int
    """Cut by the turn limit without success."""
    failed: int
    """Lost because their environment failed."""
    mistakes: float
    """Share of the imitated episodes' turns that are mistakes."""
    mistakes_asked: float
    updates: int
    tokens_per_episode: float
    curve: tuple[CurvePoint, ...]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> WarmStartRecord:
        """The record in a row of a run's metrics."""
        values = {name: row[name] for name in cls.__dataclass_fields__ if name != "curve"}
        return cls(**values, curve=tuple(CurvePoint(**point) for point in row["curve"]))

    def summary(self) -> str:
        """One line for people."""
        losses = " ".join(
            "-" if point.held_out_loss is None else f"{point.held_out_loss:.2f}"
            for point in self.curve
        )
        return (
            f"{self.what_was_shown()}, {self.what_went_wrong()}, {self.updates} updates; held-out "
            f"loss {losses}"
        )

    def what_was_shown(self) -> str:
        """How many demonstrations there are, and what became of the others."""
        dropped = tell_dropped(lost=self.lost, late=self.late, failed=self.failed)
        if not dropped:
            return f"{self.demonstrations} demonstrations"
        return f"{self.demonstrations} of {self.played} demonstrations won ({dropped})"

    def what_went_wrong(self) -> str:
        """The share of mistakes, and why there may be none where some were asked for."""
        if self.mistakes:
            return f"{self.mistakes:.0%} of their turns mistakes that are not imitated"
        if not self.mistakes_asked:
            return "no mistakes in them"
        return (
            f"no mistakes in them ({self.mistakes_asked:.0%} were asked for; an expert that is "
            "offered no choices can make none)"
        )


def tell_dropped(*, lost: int, late: int, failed: int) -> str:
    """Why demonstrations are not imitated; "" where all are."""
    reasons = (
        (late, "cut by the turn limit"),
        (lost, "ended without success"),
        (failed, "lost to errors of the environment"),
    )
    return ", ".join(f"{count} {reason}" for count, reason in reasons if count)
