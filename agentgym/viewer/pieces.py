"""The texts of tokens, from the tokenizer beside a run's newest checkpoint."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from agentgym.errors import StoreError, boundary
from agentgym.store import Run
from agentgym.types import Episode


def token_texts(run: Run, episodes: Iterable[Episode]) -> dict[int, str] | None:
    """The text of every token id in these episodes; None where no tokenizer is at hand.

    A model elsewhere is not looked for: the viewer reads nothing outside the run.
    """
    files = sorted((run.folder / "checkpoints").glob("step-*/tokenizer.json"))
    if not files:
        return None
    try:
        tokenizer = _tokenizer(files[-1])
    except StoreError:  # ids are shown in the place of texts
        return None
    turns = [turn for episode in episodes for turn in episode.turns]
    ids = {token for turn in turns for token in (*turn.prompt_ids, *turn.action_ids)}
    return {token: tokenizer.decode([token], skip_special_tokens=False) for token in sorted(ids)}


@lru_cache(maxsize=1)
def _tokenizer(path: Path) -> Any:
    with boundary(StoreError, str(path)):
        from tokenizers import Tokenizer

        return Tokenizer.from_file(str(path))
