"""Bills in whole cents: read amounts, share them out, settle who owes whom."""

from tally.money import format_cents, parse_cents, share
from tally.settle import balances, settle

__all__ = ["balances", "format_cents", "parse_cents", "settle", "share"]
