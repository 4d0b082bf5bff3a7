"""The records: what a task is and what an episode was. Frozen, made of plain values only."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

Json: TypeAlias = "None | bool | int | float | str | Sequence[Json] | Mapping[str, Json]"
Finish: TypeAlias = Literal["stop", "length"]


def normalize_text(text: str) -> str:
    """The text with compatibility forms folded (NFKC) and runs of white space made one space."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing to do. Stored once per panel, never inside an episode."""

    id: str
    split: str
    seed: int
    public: Mapping[str, Json] = field(default_factory=dict)
    """What `reset` needs. A `type` in it is the kind of task that reports break figures down by."""
    secret: Mapping[str, Json] = field(default_factory=dict)
    """Gold answers, hidden tests, plans: read by the environment and by rewards, never shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What the environment shows after `reset` or `step`."""

    text: str
    choices: tuple[str, ...] | None = None
    """The admissible actions; None where the environment does not list them."""
    image: bytes | None = None
    """A PNG file."""
    key: str = ""
    """Two observations with equal keys look the same to the agent; default: normalised text."""
    state: str = ""
    """Two observations with equal states have the same future, as far as the agent can know: what
    it holds, say, though the text does not repeat it. Default: `key`. Some credit schemes compare
    the one, some the other."""

    def __post_init__(self) -> None:
        if not self.key:
            object.__setattr__(self, "key", normalize_text(self.text))
        if not self.state:
            object.__setattr__(self, "state", self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What the environment understood of a model's text: an action, or the reason it is none."""

    action: str | None = None
    invalid: str | None = None

    def __post_init__(self) -> None:
        assert (self.action is None) != (self.invalid is None), "either an action or a reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The grade of a whole episode."""

    score: float
    success: bool
    facts: Mapping[str, Json] = field(default_factory=dict)
    """What else grading found, to keep with the episode: other scores by name, say, or what each
    test did. It may be read by whoever reads the episode, so no secret belongs in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The environment's answer to one turn."""

    observation: Observation
    reward: float
    terminated: bool
    truncated: bool
    parsed: Parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One model call and the environment's answer to it."""

    segment: int
    """Rises when the prompt is no longer an extension of what the model saw before."""
    prompt_ids: tuple[int, ...]
    """The unsampled tokens added before this action; a segment's first turn carries it all."""
    action_ids: tuple[int, ...]
    """The sampled tokens, as sampled, the end token included."""
    logprobs: tuple[float, ...]
    """Parallel to `action_ids`: natural log, of the untruncated model at temperature 1."""
    finish: Finish
    text: str
    action: str | None
    """As parsed; None when `invalid` says why there is none."""
    invalid: str | None
    observation: Observation
    """The environment's answer."""
    reward: float
    """Raw, in the task's unit."""
    channels: Mapping[str, float | None] = field(default_factory=dict)
    """Named reward channels; None where a channel has nothing to say of this turn."""
    values: tuple[float, ...] | None = None
    """A critic's values, parallel to `action_ids`; None without a critic."""
    temperature: float = 1.0
    """Of the sampler; 0 is greedy."""
    kept: tuple[float, ...] | None = None
    """Parallel to `action_ids`: the mass of the tokens that the sampler chose among, the sum of
    p ** (1 / temperature) over them, where p is the untruncated model's at temperature 1. So it
    drew a token with probability p ** (1 / temperature) / kept. None where that is p, and where it
    was greedy."""
    seconds: float = 0.0
    """Wall clock from request to answer; takes no part in equality of runs."""

    def __post_init__(self) -> None:
        if len(self.action_ids) != len(self.logprobs):
            raise ValueError(
                f"{len(self.action_ids)} action ids but {len(self.logprobs)} logprobs in one turn"
            )
        if self.kept is not None and len(self.kept) != len(self.action_ids):
            raise ValueError(
                f"{len(self.action_ids)} action ids but {len(self.kept)} kept masses in one turn"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class DemonstratedTurn:
    """One action of a demonstrator and its answer."""

    action: str
    is_mistake: bool
    """Put in place of the right action: shown, never imitated."""
    observation: Observation


class Status(StrEnum):
    """How an episode ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    TRUNCATED_TURNS = "truncated_turns"
    TRUNCATED_TOKENS = "truncated_tokens"
    TRUNCATED_TIME = "truncated_time"
    SCORE_ERROR = "score_error"
    INFRA_ERROR = "infra_error"

    @property
    def trainable(self) -> bool:
        """Whether the end says something about the policy rather than about our machinery."""
        return self not in (Status.SCORE_ERROR, Status.INFRA_ERROR)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class EpisodeId:
    """Where an episode stands in its run; small integers, so that a row can be named aloud."""

    step: int
    group: int
    member: int

    def __str__(self) -> str:
        return f"step={self.step}/group={self.group}/member={self.member}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorInfo:
    """A failure of ours, as recorded on the episode that it ended."""

    type: str
    phase: str
    message: str
    """Cut to a few thousand characters."""
    action: str | None = None
    """What the model wrote in the turn whose `step` failed, which is no turn of the episode; None
    where nothing was being answered."""
    trace: str = ""
    """The last frames of what was raised, where it came from outside; "" elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One episode from `reset` to its end, with every token that the model saw or made."""

    id: EpisodeId
    task_id: str
    panel_hash: str
    env: str
    """The Gymnasium id, version included."""
    seed: int
    system_prompt: str
    first: Observation | None
    """The observation of `reset`; None when `reset` failed."""
    turns: tuple[Turn, ...]
    status: Status
    score: float | None
    success: bool | None
    policy_version: int
    error: ErrorInfo | None = None
    advantages: tuple[float, ...] | None = None
    """One per turn, as used by the loss; None before credit or when not trainable."""
    token_advantages: tuple[tuple[float, ...], ...] | None = None
    """`[turn][token]`, parallel to the turns' `action_ids`, where the credit scheme tells tokens
    apart: then the loss uses these, and `advantages` are their means."""
    facts: Mapping[str, Json] = field(default_factory=dict)
    """What grading found beside the score; see `Outcome.facts`."""

    @property
    def valid(self) -> bool:
        """Whether the episode may train: a trainable status and a score."""
        return self.status.trainable and self.score is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The episodes of one task under one policy, compared with each other."""

    task_id: str
    episodes: tuple[Episode, ...]

    @property
    def valid(self) -> tuple[Episode, ...]:
        """The members that baselines and losses may use."""
        return tuple(episode for episode in self.episodes if episode.valid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A valid member of a group with its reward channels combined: what credit reads."""

    episode: Episode
    outcome: float
    """R_i: the score plus weighted outcome channels."""
    turn_rewards: tuple[float, ...]
    """r_ik, one per turn: the raw reward plus weighted turn channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredGroup:
    """The valid members of one group."""

    task_id: str
    members: tuple[Scored, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credited:
    """What a credit scheme gives back."""

    advantages: tuple[tuple[tuple[float, ...], ...], ...]
    """`[group][valid member][turn]`."""
    token_advantages: tuple[tuple[tuple[tuple[float, ...], ...], ...], ...] | None = None
    """`[group][valid member][turn][token]`, each parallel to the turn's `action_ids`, where a
    scheme tells tokens apart; `advantages` are then the means over a turn's tokens."""
    value_targets: tuple[tuple[tuple[tuple[float | None, ...], ...], ...], ...] | None = None
    """As `token_advantages`: what the critic should have said; None for a token whose value the
    scheme does not read. None altogether without a critic."""
    clip_scales: tuple[tuple[tuple[float, ...], ...], ...] | None = None
    """As `advantages`: what the loss may multiply a turn's clipping range by; None where the
    scheme has no say in it."""
    metrics: Mapping[str, float] = field(default_factory=dict)
