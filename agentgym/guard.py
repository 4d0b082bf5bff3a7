"""GuardedEnv: an environment called under its contract; what it does wrong is an EnvError."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.wrappers import TimeLimit

from agentgym.env import Demonstrator, TurnEnv
from agentgym.errors import AgentGymError, EnvError, ScoreError, UsageError, cut
from agentgym.types import (
    DemonstratedTurn,
    Observation,
    Outcome,
    Parsed,
    Reply,
    Status,
    Task,
)

T = TypeVar("T")


class CheckedEnv(gymnasium.Wrapper[Observation, str, Observation, str]):
    """Checks every answer; innermost, so that no other wrapper trips over a wrong one first."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """As of the environment."""
        answer: Any = self.env.reset(seed=seed, options=options)
        observation, info = expect_tuple(answer, "reset", ("observation", "info"))
        return expect_observation(observation, "reset"), info

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """As of the environment, with a plain float and plain booleans."""
        answer: Any = self.env.step(action)
        names = ("observation", "reward", "terminated", "truncated", "info")
        observation, reward, terminated, truncated, info = expect_tuple(answer, "step", names)
        return (
            expect_observation(observation, "step"),
            expect_number(reward, "step: reward"),
            bool(expect(terminated, (bool, np.bool_), "step: terminated")),
            bool(expect(truncated, (bool, np.bool_), "step: truncated")),
            info,
        )


class GuardedEnv:
    """An environment made from its spec, under its turn limit; every answer is checked.

    Raises:
        EnvError: the environment raised, or gave back something of another type. So may every
            method; `outcome` raises `ScoreError`.
    """

    def __init__(self, spec: EnvSpec) -> None:
        self.broken = False
        """Whether a call failed: the environment's state is then unknown."""
        self._over = True
        self._first: Observation | None = None
        self._demonstrator: tuple[int, Demonstrator] | None = None
        with self._attributed("boot"):
            unlimited = replace(spec, max_episode_steps=None)
            env = gymnasium.make(unlimited, disable_env_checker=True)
            self.inner: TurnEnv = expect(env.unwrapped, TurnEnv, f"boot: environment '{spec.id}'")
            """The bare environment, for what no seat offers: its expert, its spaces."""
            self.system_prompt = expect(self.inner.system_prompt, str, "boot: system_prompt")
            self._env: gymnasium.Env[Observation, str] = CheckedEnv(env)
            if spec.max_episode_steps is not None:
                self._env = TimeLimit(self._env, spec.max_episode_steps)

    def reset(self, task: Task, *, seed: int) -> Observation:
        """Start the task."""
        with self._attributed("reset"):
            observation, _ = self._env.reset(seed=seed, options={"task": task})
        self._over = False
        self._first = observation
        return observation

    def step(self, text: str) -> Reply:
        """Parse what the model wrote, as the environment stands, and act on it.

        Raises:
            UsageError: the episode is over, or none was begun.
        """
        self._refuse_over("step")
        with self._attributed("step"):
            parsed = expect(self.inner.parse(text), Parsed, "step: parse")
            observation, reward, terminated, truncated, _ = self._env.step(text)
        self._over = terminated or truncated
        return Reply(
            observation=observation,
            reward=float(reward),
            terminated=terminated,
            truncated=truncated,
            parsed=parsed,
        )

    def demonstrate(self, *, seed: int, mistake: bool) -> tuple[DemonstratedTurn, Status | None]:
        """Let the environment's demonstrator act, which takes all turns of its episodes.

        Args:
            seed: of the demonstrator; the next one with this seed is the same, going on.
            mistake: it makes a plausible mistake, if it knows one.

        Returns:
            The turn, and how the episode ended, before it is graded; None while it goes on.

        Raises:
            UsageError: the episode is over, or none was begun.
        """
        self._refuse_over("demonstrate")
        with self._attributed("demonstrate"):
            demonstrator = self._find_demonstrator(seed)
            wrong = demonstrator.mistake() if mistake else None
            text = demonstrator.act() if wrong is None else wrong
            expect(text, str, "demonstrate: action")
            observation, _, terminated, truncated, _ = self._env.step(text)
            demonstrator.observe(text, observation)
        self._over = terminated or truncated
        end = Status.FAILURE if terminated else Status.TRUNCATED_TURNS if truncated else None
        turn = DemonstratedTurn(action=text, is_mistake=wrong is not None, observation=observation)
        return turn, end

    def _refuse_over(self, phase: str) -> None:
        if self._over:
            raise UsageError(f"{phase}: the episode is over or was never begun; call reset")

    def _find_demonstrator(self, seed: int) -> Demonstrator:
        """The demonstrator of that seed, told how the episode began."""
        if self._demonstrator is None or self._demonstrator[0] != seed:
            self._demonstrator = seed, self.inner.demonstrator(seed=seed)
        _, demonstrator = self._demonstrator
        if self._first is not None:
            demonstrator.reset(self._first)
            self._first = None
        return demonstrator

    def outcome(self) -> Outcome:
        """Grade the episode."""
        with self._attributed("outcome"):
            outcome = expect(self.inner.outcome(), Outcome, "outcome")
            return Outcome(
                score=expect_number(outcome.score, "outcome: score"),
                success=bool(expect(outcome.success, (bool, np.bool_), "outcome: success")),
                facts=expect_json(outcome.facts, "outcome: facts"),
            )

    def close(self) -> None:
        """Close the environment; may be called twice."""
        with self._attributed("close"):
            self._env.close()

    @contextmanager
    def _attributed(self, phase: str) -> Iterator[None]:
        """Attribute what an environment raises, `SystemExit` and its like included, to a phase.

        Our own errors keep their type, except in grading: whatever goes wrong there is a
        `ScoreError`. Only `KeyboardInterrupt` passes: it is the user's.
        """
        try:
            yield
        except BaseException as cause:
            self.broken = True
            if isinstance(cause, KeyboardInterrupt):
                raise
            if phase == "outcome" and not isinstance(cause, ScoreError):
                raise ScoreError(told(cause, phase)) from cause
            if isinstance(cause, AgentGymError):
                raise
            raise EnvError(told(cause, phase)) from cause


def told(cause: BaseException, phase: str) -> str:
    """Phase, type and text of an exception, bounded."""
    return cut(f"{phase}: {type(cause).__name__}: {text_of(cause)}")


def text_of(cause: BaseException) -> str:
    """The exception's text, even for one whose `__str__` raises."""
    try:
        return str(cause)
    except Exception as second:
        return f"(its text raised {type(second).__name__})"


def expect(value: Any, kind: type[T] | tuple[type[T], ...], what: str) -> T:
    """The value, if it is of that type.

    Raises:
        EnvError: it is not; the message names what was expected and what came.
    """
    if isinstance(value, kind):
        return value
    kinds = kind if isinstance(kind, tuple) else (kind,)
    wanted = " or ".join(dict.fromkeys(each.__name__ for each in kinds))  # NumPy's is bool too
    raise EnvError(f"{what} must be {wanted}, not {type(value).__name__}")


def expect_number(value: Any, what: str) -> float:
    """The value as a float, if it is a finite real number."""
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return float(value)
    shown = repr(float(value)) if isinstance(value, numbers.Real) else type(value).__name__
    raise EnvError(f"{what} must be a finite number, not {shown}")


def expect_json(value: Any, what: str) -> dict[str, Any]:
    """The value, if it is a mapping that JSON can hold, as JSON gives it back."""
    try:
        text = json.dumps(dict(expect(value, Mapping, what)), allow_nan=False)
        found: dict[str, Any] = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise EnvError(f"{what} must be what JSON can hold: {text_of(error)}") from error
    return found


def expect_tuple(value: Any, phase: str, names: tuple[str, ...]) -> tuple[Any, ...]:
    """The value, if it is a tuple with one element per name."""
    if isinstance(value, tuple) and len(value) == len(names):
        return value
    found = f"a tuple of {len(value)}" if isinstance(value, tuple) else type(value).__name__
    raise EnvError(f"{phase} must return ({', '.join(names)}), not {found}")


def expect_observation(value: Any, phase: str) -> Observation:
    """The value, if it is an observation whose fields have their types."""
    observation = expect(value, Observation, f"{phase}: observation")
    expect(observation.text, str, f"{phase}: observation.text")
    expect(observation.key, str, f"{phase}: observation.key")
    expect(observation.state, str, f"{phase}: observation.state")
    if observation.image is not None:
        expect(observation.image, bytes, f"{phase}: observation.image")
    if observation.choices is not None:
        choices = expect(observation.choices, tuple, f"{phase}: observation.choices")
        if set(map(type, choices)) - {str}:  # dozens a turn: a call for each would be felt
            for choice in choices:
                expect(choice, str, f"{phase}: each of observation.choices")
    return observation
