"""Tables as text: fields apart by a comma, quoted where they must be."""

from quoted.reader import read_rows
from quoted.table import Table
from quoted.writer import write_rows

__all__ = ["Table", "read_rows", "write_rows"]
