"""Our ALFWorld engine says what the original one says; `make differential` plays 200 games."""

from __future__ import annotations

import pytest
from alfworld_cells import CELLS
from alfworld_differential import compare

pytest.importorskip(
    "textworld",
    reason="the original ALFWorld engine has an environment of its own: make test runs this there",
)
pytestmark = [pytest.mark.alfworld, pytest.mark.slow]


def test_both_engines_agree_in_every_word_of_24_games() -> None:
    found = compare(games=24, commands=40)
    assert found.mismatches == []
    assert (found.games, found.commands) == (24, 24 * 40)
    assert [cell for cell in CELLS if not found.coverage[cell]] == []
