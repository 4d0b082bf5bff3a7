"""Information gain: how much likelier a turn made the right answer, by the policy's own lights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agentgym.errors import UsageError
from agentgym.trainers.rewards import Answer, Question, Text
from agentgym.types import Episode, Task


class InformationGain(BaseModel):
    """The rise of the gold answer's score from the state before a turn to the state after it.

    The score of an answer is its mean token logprob (the log of the geometric mean probability)
    or, on request, the sum. The last turn has no gain, nor has a turn beside a state whose score
    could not be computed.

    Source: "IGPO" (2510.14967), and its released code. Deviation: all accepted answers
    are scored; the released code looks at the first. "CIGPO" (2607.16244) for `scorer` and the sum.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str = "answers"
    """Where in `Task.secret` the accepted answers stand: a string, or a list of strings."""
    prefix: str = ""
    """What the policy would write before an answer; not scored."""
    suffix: str = ""
    """What the policy would write after it; not scored."""
    difference: Literal["log", "prob"] = "log"
    """Of the mean logprobs (the paper), or of their exponentials (its preprint)."""
    aliases: Literal["max", "logsumexp"] = "max"
    """How the scores of several accepted answers become one."""
    tokens: Literal["mean", "sum"] = "mean"
    """Over the answer's tokens; a sum makes long answers swing most."""
    scorer: Literal["policy", "reference"] = "policy"
    """Whose logprobs: the policy's of the step, so that gains move as it learns, or those of the
    policy that the run began with, which stay what they are."""

    @property
    def asks_reference(self) -> bool:
        """Whether the trainer must keep the policy that the run began with."""
        return self.scorer == "reference"

    def asks(self, episode: Episode, task: Task) -> tuple[Question, ...]:
        """Every accepted answer, in every state that has a turn on both sides, and before turn 1.

        An episode of one turn has no gain, hence no questions.

        Raises:
            UsageError: the task has no accepted answers. The message shows none either.
        """
        if len(episode.turns) < 2:
            return ()
        texts = tuple(
            Text(prefix=self.prefix, scored=answer, suffix=self.suffix)
            for answer in self.check_task(task)
        )
        return tuple(
            Question(turn=turn, texts=texts, frozen=self.asks_reference)
            for turn in range(len(episode.turns))
        )

    def score(
        self, episode: Episode, task: Task, answers: Sequence[Answer]
    ) -> tuple[float | None, ...]:
        """The gain of every turn, in nats (`log`) or as a difference of probabilities (`prob`)."""
        num_turns = len(episode.turns)
        expected = num_turns if num_turns > 1 else 0
        assert len(answers) == expected, f"{len(answers)} answers for {expected} questions"
        scores = [self._score(answer) for answer in answers]
        if self.difference == "prob":
            scores = [None if score is None else math.exp(score) for score in scores]
        gains: list[float | None] = [
            None if before is None or after is None else after - before
            for before, after in zip(scores, scores[1:], strict=False)
        ]
        return (*gains, None) if num_turns else ()

    def measure(self, answers: Sequence[Answer]) -> dict[str, float]:
        """The answer's mean logprob in the first and the last scored state, if both have one.

        The last must be higher when the gold passage was read: if it is not, the scored text is
        not what the policy would write, and the gains are noise.
        """
        scores = [self._score(answer) for answer in answers]
        if not scores or scores[0] is None or scores[-1] is None:
            return {}
        return {"ell_first": scores[0], "ell_last": scores[-1]}

    def check_task(self, task: Task) -> tuple[str, ...]:
        """The task's accepted answers.

        Raises:
            UsageError: it has none. The message shows none either.
        """
        found = task.secret.get(self.field)
        listed = (found,) if isinstance(found, str) else found
        if not isinstance(listed, Sequence):
            listed = ()
        texts = tuple(text for text in listed if isinstance(text, str) and text.strip())
        if not texts or len(texts) != len(listed):
            raise UsageError(
                f"task '{task.id}': secret '{self.field}' must be a text or a list of texts, none "
                "of them blank, for the reward information_gain"
            )
        return texts

    def _score(self, answer: Answer) -> float | None:
        """In nats."""
        scores: list[float] = []
        for logprobs in answer.logprobs:
            if logprobs is None:
                return None
            total = math.fsum(logprobs)
            scores.append(total / len(logprobs) if self.tokens == "mean" else total)
        best = max(scores)
        if self.aliases == "logsumexp":
            best += math.log(math.fsum(math.exp(score - best) for score in scores))
        return best
