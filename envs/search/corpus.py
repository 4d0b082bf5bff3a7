"""Passages, and corpora of them: what a retriever searches."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Protocol

from agentgym.errors import UsageError

HASH_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A titled text, in the field's form.

    >>> Passage(id="7", contents='"Silent Harbor"\\nA novel.').title
    'Silent Harbor'
    """

    id: str
    contents: str
    """The title, mostly in quotes; a line break; the text."""

    @property
    def head(self) -> str:
        """The first line, quotes and all."""
        return self.contents.partition("\n")[0]

    @property
    def title(self) -> str:
        """The first line without the quotes around it."""
        head = self.head
        return head[1:-1] if len(head) > 1 and head[0] == head[-1] == '"' else head

    @property
    def text(self) -> str:
        """All but the first line."""
        return self.contents.partition("\n")[2]


class Corpus(Protocol):
    """Passages in a fixed order."""

    @property
    def hash(self) -> str:
        """Of all ids and contents; stored indexes go by it."""
        ...

    @property
    def passages(self) -> Sequence[Passage]:
        """All of them, in memory."""
        ...

    def __iter__(self) -> Iterator[Passage]:
        """One after the other, without holding them."""
        ...


@dataclass(frozen=True, kw_only=True)
class ListCorpus:
    """A corpus in memory."""

    passages: Sequence[Passage]

    @cached_property
    def hash(self) -> str:
        """See `Corpus.hash`."""
        digest = hashlib.sha256()
        for passage in self.passages:
            digest.update(f"{passage.id}\0{passage.contents}\0".encode())
        return digest.hexdigest()[:HASH_DIGITS]

    def __iter__(self) -> Iterator[Passage]:
        return iter(self.passages)


@dataclass(frozen=True, kw_only=True)
class FileCorpus:
    """A corpus in a file of the field: a JSON object a line, with `id` and `contents`."""

    path: Path

    @cached_property
    def hash(self) -> str:
        """See `Corpus.hash`; of the file's bytes."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:HASH_DIGITS]

    @cached_property
    def passages(self) -> Sequence[Passage]:
        """See `Corpus.passages`."""
        return tuple(self)

    def __iter__(self) -> Iterator[Passage]:
        """One passage a line; blank lines are skipped.

        Raises:
            UsageError: a line is no such object; the message names it.
        """
        with self.path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _read(line, f"{self.path}:{number}")


def _read(line: str, where: str) -> Passage:
    try:
        row = json.loads(line)
        id_, contents = row["id"], row["contents"]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{where}: no passage with 'id' and 'contents': {error!r}") from error
    if not isinstance(contents, str):
        raise UsageError(f"{where}: 'contents' must be a text, not {type(contents).__name__}")
    return Passage(id=str(id_), contents=contents)


@cache
def open_corpus(path: Path) -> FileCorpus:
    """The corpus of a file, one object per process.

    Raises:
        UsageError: there is no such file, or it has no passage.
    """
    if not path.is_file():
        raise UsageError(f"there is no corpus file '{path}'")
    corpus = FileCorpus(path=path)
    if next(iter(corpus), None) is None:
        raise UsageError(f"the corpus file '{path}' has no passages")
    return corpus
