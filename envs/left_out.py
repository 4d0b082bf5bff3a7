"""Records of a user's own files that were left out: counted, named, and said in warnings."""

from __future__ import annotations

import warnings
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

NUM_NAMED = 3
"""How many of the records that were left out a warning names."""


class OfficialDataWarning(UserWarning):
    """Records of a user's files were left out."""


@dataclass(slots=True)
class LeftOut:
    """Records that were left out: why -> their names."""

    names: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def warn(self, folder: Path) -> None:
        """Say what was left out, if anything."""
        for why, names in self.names.items():
            named = ", ".join(names[:NUM_NAMED]) + (", ..." if len(names) > NUM_NAMED else "")
            said = f"'{folder}': left out {len(names)} records: {why} ({named})"
            warnings.warn(said, OfficialDataWarning, stacklevel=2)
