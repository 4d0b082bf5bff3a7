"""Passages, and a corpus of them: what a retriever searches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A titled text."""

    id: str
    title: str
    text: str

    @classmethod
    def of(cls, id_: str, contents: str) -> Passage:
        """From the field's form of a passage: the title in quotes, a line break, the text.

        >>> Passage.of("7", '"Silent Harbor"\\nA novel.')
        Passage(id='7', title='Silent Harbor', text='A novel.')
        """
        head, _, text = contents.partition("\n")
        title = head[1:-1] if len(head) > 1 and head[0] == head[-1] == '"' else head
        return cls(id=id_, title=title, text=text)

    @property
    def contents(self) -> str:
        """The field's form, as in corpus files, in requests, and under an index."""
        return f'"{self.title}"\n{self.text}'


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Passages in a fixed order."""

    name: str
    passages: Sequence[Passage]

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the ids and contents; 16 hex digits. Stored indexes go by it."""
        digest = hashlib.sha256()
        for passage in self.passages:
            line = f"{passage.id}\0{passage.contents}\0"
            digest.update(line.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:16]

    def __len__(self) -> int:
        return len(self.passages)

    def __iter__(self) -> Iterator[Passage]:
        return iter(self.passages)
