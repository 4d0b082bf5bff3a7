"""Information gain: how much likelier a turn made the right answer, by the policy's own lights."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agentgym.errors import UsageError
from agentgym.trainers.rewards import Answer, Question, Text
from agentgym.types import Episode, Task, normalize_text

WORD = re.compile(r"\w+")


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

    def measure(self, episode: Episode, task: Task, answers: Sequence[Answer]) -> dict[str, float]:
        """The answer's score before turn 1, and after the turn that brought the gold passage.

        That is the first observation with an accepted answer in it, word for word in any case. The
        score must be higher then: if it is not, the scored text is not what the policy would
        write, and the gains are noise. Nothing is measured where no turn brought an answer that
        was not in sight before, and where one of the two states has no score.
        """
        if not answers:
            return {}
        accepted = [words for words in map(_words, self.check_task(task)) if words.strip()]
        assert episode.first is not None, f"{episode.id} is valid but has no observation"
        # Parallel to the answers; what the last turn saw, no state shows.
        seen = [episode.first, *(turn.observation for turn in episode.turns[:-1])]
        shown = (_words(observation.text) for observation in seen)
        holds = (any(words in text for words in accepted) for text in shown)
        turn = next((turn for turn, found in enumerate(holds) if found), 0)
        if turn == 0:
            return {}
        start, gold = self._score(answers[0]), self._score(answers[turn])
        return {} if start is None or gold is None else {"ell_start": start, "ell_gold": gold}

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


def _words(text: str) -> str:
    """The words of a text in lower case with a space on either side of each, so that one text's
    words stand in another's where the string does. (A pattern made of an answer would stay in the
    cache of `re`, where no secret belongs.)

    >>> _words("In Port-Orvik,\\nin 1726.")
    ' in port orvik in 1726 '
    """
    return f" {' '.join(WORD.findall(normalize_text(text).casefold()))} "
