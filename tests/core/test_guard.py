"""Whatever an environment gives back that breaks its contract is named, with what was expected."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

from agentgym.env import TurnEnv
from agentgym.errors import EnvError, SandboxError, ScoreError
from agentgym.guard import GuardedEnv
from agentgym.types import Observation, Outcome, Parsed, Reply, Task

TASK = Task(id="a", split="b", seed=0)
SEEN = Observation(text="seen")
STEP: tuple[Any, ...] = (SEEN, 0.0, False, False, {})


class Answering(TurnEnv):
    """Gives back what it is told to; an exception is raised."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__()
        self.system_prompt = answers.get("system_prompt", "")
        self.answers = answers

    def answer(self, phase: str, default: Any) -> Any:
        """The answer of a phase."""
        found = self.answers.get(phase, default)
        if isinstance(found, BaseException):
            raise found
        return found

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return self.answer("reset", (SEEN, {}))

    def step(self, action: str) -> Any:
        return self.answer("step", STEP)

    def parse(self, text: str) -> Parsed:
        parsed: Parsed = self.answer("parse", Parsed(action=text))
        return parsed

    def outcome(self) -> Outcome:
        outcome: Outcome = self.answer("outcome", Outcome(score=1, success=True))
        return outcome


def guarded(**answers: Any) -> GuardedEnv:
    """An environment with those answers, sound otherwise."""
    creator: Any = partial(Answering, answers)
    return GuardedEnv(EnvSpec(id="test/Answering-v0", entry_point=creator))


def play(env: GuardedEnv) -> tuple[Reply, Outcome]:
    """One turn and the grade."""
    env.reset(TASK, seed=0)
    return env.step("go"), env.outcome()


@pytest.mark.parametrize(
    ("phase", "answer", "said"),
    [
        ("system_prompt", None, "boot: system_prompt must be str, not NoneType"),
        ("reset", SEEN, r"reset must return \(observation, info\), not Observation"),
        ("reset", ("text", {}), "reset: observation must be Observation, not str"),
        ("reset", (Observation(text=1, key="k"), {}), "observation.text must be str, not int"),  # type: ignore[arg-type]
        ("step", STEP[:4], "step must return .*truncated, info.*, not a tuple of 4"),
        ("step", None, "step must return .*, not NoneType"),
        ("step", ("text", *STEP[1:]), "step: observation must be Observation, not str"),
        ("step", (SEEN, math.nan, *STEP[2:]), "step: reward must be a finite number, not nan"),
        ("step", (SEEN, math.inf, *STEP[2:]), "step: reward must be a finite number, not inf"),
        ("step", (SEEN, "1", *STEP[2:]), "step: reward must be a finite number, not str"),
        ("step", (SEEN, None, *STEP[2:]), "step: reward must be a finite number, not NoneType"),
        ("step", (SEEN, 1, 1, False, {}), "step: terminated must be bool, not int"),
        ("step", (SEEN, 1, True, None, {}), "step: truncated must be bool, not NoneType"),
        ("parse", "go", "step: parse must be Parsed, not str"),
        ("parse", KeyError("go"), "step: KeyError: 'go'"),
    ],
)  # fmt: skip
def test_a_broken_answer_is_named(phase: str, answer: Any, said: str) -> None:
    with pytest.raises(EnvError, match=said):
        play(guarded(**{phase: answer}))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("choices", ["go"], "observation.choices must be tuple, not list"),
        ("choices", ("go", 1), "each of observation.choices must be str, not int"),
        ("image", "png", "observation.image must be bytes, not str"),
        ("key", 7, "observation.key must be str, not int"),
        ("state", 7, "observation.state must be str, not int"),
    ],
)
def test_a_broken_observation_is_named(field: str, value: Any, said: str) -> None:
    observation = Observation(**{"text": "seen", field: value})
    with pytest.raises(EnvError, match=f"step: {said}"):
        play(guarded(step=(observation, *STEP[1:])))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "outcome must be Outcome, not NoneType"),
        (Outcome(score=math.nan, success=True), "outcome: score must be a finite number, not nan"),
        (Outcome(score="1", success=True), "outcome: score must be a finite number, not str"),  # type: ignore[arg-type]
        (Outcome(score=1, success=1), "outcome: success must be bool, not int"),  # type: ignore[arg-type]
        (
            Outcome(score=1, success=True, facts={"a": {1}}),  # type: ignore[dict-item]
            "outcome: facts must be what JSON can hold: .* set",
        ),
        (ZeroDivisionError("by zero"), "outcome: ZeroDivisionError: by zero"),
        (SandboxError("gone"), "outcome: SandboxError: gone"),
        (ScoreError("the tests did not run"), "the tests did not run"),
    ],
)  # fmt: skip
def test_whatever_fails_in_grading_is_a_score_error(answer: Any, said: str) -> None:
    with pytest.raises(ScoreError, match=said):
        play(guarded(outcome=answer))


def test_our_own_errors_keep_their_type_outside_grading() -> None:
    env = guarded(step=SandboxError("gone"))
    with pytest.raises(SandboxError, match="^gone$"):
        play(env)
    assert env.broken


def test_numbers_and_flags_become_plain_ones() -> None:
    answer: Any = (SEEN, np.float32(0.5), np.bool_(True), np.bool_(False), {})
    outcome = Outcome(score=np.int64(1), success=np.bool_(True))  # type: ignore[arg-type]
    reply, graded = play(guarded(step=answer, outcome=outcome))
    assert (reply.reward, reply.terminated, reply.truncated) == (0.5, True, False)
    assert {type(reply.reward), type(graded.score)} == {float}
    assert {type(reply.terminated), type(reply.truncated), type(graded.success)} == {bool}


def test_a_sound_environment_is_not_broken() -> None:
    env = guarded()
    assert play(env) == (
        Reply(
            observation=SEEN,
            reward=0.0,
            terminated=False,
            truncated=False,
            parsed=Parsed(action="go"),
        ),
        Outcome(score=1.0, success=True),
    )
    assert not env.broken
