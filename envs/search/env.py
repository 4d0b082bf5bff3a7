"""Search: answer a question by looking things up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from agentgym.env import TurnEnv
from agentgym.envs.search.corpus import Corpus, Passage, open_corpus
from agentgym.envs.search.expert import Researcher
from agentgym.envs.search.made import CORPORA, made_panel, made_splits, title_of
from agentgym.envs.search.official import corpus_file, find_splits, official_panel
from agentgym.envs.search.prompt import NO_CALL, SYSTEM_PROMPT, parse_call, read_call, show
from agentgym.envs.search.retrievers import make_plugin, open_retriever
from agentgym.envs.search.reward import exact_match, word_f1
from agentgym.errors import UsageError
from agentgym.panel import Panel
from agentgym.types import Observation, Outcome, Parsed

SCORES = {"f1": word_f1, "em": exact_match}


class Search(TurnEnv):
    """Questions to answer with a search engine, in Search-R1's turn grammar.

    An answer ends the episode; the reward of that turn is its score, every other turn's is 0.
    Success is an exact match, whichever the score. A state's key is the set of passages read so
    far, so that two members that found the same by other words are in one state.
    """

    system_prompt = SYSTEM_PROMPT
    expert_name: ClassVar[str | None] = "hops"
    needs: ClassVar[str | None] = "extra search-real for real1/..."
    generated: ClassVar[str] = "generated questions about a fictional world, no published ones"

    def __init__(
        self,
        render_mode: str | None = None,
        *,
        topk: int = 3,
        score: Literal["f1", "em"] = "f1",
        retriever: str | Mapping[str, Any] = "bm25s",
        corpus: str | None = None,
    ) -> None:
        """Make the environment; the corpus is read, and its index opened, at the first reset.

        Args:
            topk: passages shown per search, at least 1.
            score: which of the two scores is the reward and the outcome's score.
            retriever: a plug-in's name, or a mapping with its `name` and settings.
            corpus: a file of passages; None takes the one that the tasks were made for.

        Raises:
            UsageError: a value is wrong, or the retriever is unknown.
        """
        super().__init__(render_mode)
        if topk < 1:
            raise UsageError(f"topk must be at least 1, not {topk}")
        if score not in SCORES:
            raise UsageError(f"score must be 'f1' or 'em', not '{score}'")
        self.topk = topk
        self._score = SCORES[score]
        self._plugin = make_plugin(retriever)
        self._corpus = corpus
        self._answer: str | None = None

    @classmethod
    def splits(cls) -> tuple[str, ...]:
        """The panels that can be made here, and the official ones whose files are there."""
        return (*made_splits(), *find_splits())

    @classmethod
    def panel(cls, split: str) -> Panel:
        """A panel made here, or `official/...`: a user's own file of questions.

        Raises:
            UsageError: there is no such split, or what it is made from is missing.
        """
        return official_panel(split) if split.startswith("official/") else made_panel(split)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin `options["task"]`, or the task of gen1/train that the seed picks."""
        self.task = self.pick_task(seed, options)
        name, corpus = self._find_corpus()
        self._retriever = open_retriever(self._plugin, name, corpus)
        self._answer, self._searched = None, False
        self.read: dict[str, Passage] = {}
        """The passages shown so far, by id."""
        return Observation(text=str(self.task.public["question"])), {"task_id": self.task.id}

    def _find_corpus(self) -> tuple[str, Callable[[], Corpus]]:
        """A name for the corpus to search in now, and what gives it."""
        made = str(self.task.public.get("corpus"))
        if self._corpus is None and made in CORPORA:
            return made, CORPORA[made]
        path = corpus_file() if self._corpus is None else Path(self._corpus).expanduser()
        return str(path), lambda: open_corpus(path)

    def parse(self, text: str) -> Parsed:
        """See `TurnEnv.parse`; invalid are "no_call" and "empty_search"."""
        return parse_call(text)

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out the call in a model's text.

        Raises:
            UsageError: the question has been answered already.
            EnvError: the search engine failed.
        """
        if self._answer is not None:
            raise UsageError("the episode is over; call reset")
        tag, content = read_call(action) or ("", "")
        if tag == "answer":
            self._answer = content
            return Observation(text="Answered."), self.outcome().score, True, False, {}
        if not content:
            return self._observe(NO_CALL), 0.0, False, False, {}
        query = content.encode("utf-8", "replace").decode()  # lone surrogates travel nowhere
        (hits,) = self._retriever.search([query], topk=self.topk)
        passages = [hit.passage for hit in hits]
        self._searched = True
        self.read.update((passage.id, passage) for passage in passages)
        return self._observe(show(passages)), 0.0, False, False, {}

    def _observe(self, text: str) -> Observation:
        return Observation(text=text, key="read " + " ".join(sorted(self.read)))

    @property
    def accepted(self) -> list[str]:
        """The answers that are right."""
        return cast("list[str]", self.task.secret["answers"])

    def outcome(self) -> Outcome:
        """The answer's score, 0 without one; success is an exact match."""
        if self._answer is None:
            return Outcome(score=0.0, success=False)
        success = exact_match(self._answer, self.accepted) == 1.0
        return Outcome(score=self._score(self._answer, self.accepted), success=success)

    def expert_action(self) -> str:
        """Look up the first thing on the way that was not read yet; answer when there is none.

        Of an official question nobody knows the way: it is looked up as it stands, then answered.
        So its demonstrations show the grammar, not how to find out.
        """
        if "path" not in self.task.secret and not self._searched:
            return f"<search>{self.task.public['question']}</search>"
        for number in cast("list[str]", self.task.secret.get("path", [])):
            if number not in self.read:
                title = title_of(str(self.task.public["corpus"]), number)
                return f"<search>{title}</search>"
        return f"<answer>{self.accepted[0]}</answer>"

    def demonstrator(self, *, seed: int) -> Researcher:
        """The expert, who makes a slip when asked for one."""
        return Researcher(self, seed=seed)
