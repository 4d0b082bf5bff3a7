"""Table: rows under names."""

from __future__ import annotations

from collections.abc import Callable

from quoted.reader import read_rows
from quoted.writer import write_rows


class Table:
    """Rows as dictionaries; the first row of a text names the columns."""

    def __init__(self, names: list[str], rows: list[dict[str, str]]) -> None:
        self.names, self.rows = names, rows

    @classmethod
    def read(cls, text: str, delimiter: str = ",") -> Table:
        """The table of a text; what a row lacks is empty."""
        names, *rows = list(read_rows(text, delimiter)) or [[]]
        if any(len(row) > len(names) for row in rows):
            raise ValueError(f"a row with more than {len(names)} fields")
        padded = [row + [""] * (len(names) - len(row)) for row in rows]
        return cls(names, [dict(zip(names, row, strict=True)) for row in padded])

    def where(self, keep: Callable[[dict[str, str]], bool]) -> Table:
        """The rows that are to be kept."""
        return Table(self.names, [row for row in self.rows if keep(row)])

    def write(self, delimiter: str = ",") -> str:
        """The table as text."""
        lines = [[row[name] for name in self.names] for row in self.rows]
        return write_rows([self.names, *lines], delimiter)
