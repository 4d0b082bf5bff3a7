"""Ranges: ">=1.2.0 <2.0.0", "^1.2.3", "~1.2.3", several of them apart by "||"."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable

from semver.version import Version

TERM = re.compile(r"(\^|~|>=|<=|>|<|=|)([^\s<>=^~]\S*)")
COMPARE = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq,
    "": operator.eq,
}  # fmt: skip


class Range:
    """A range of versions."""

    def __init__(self, text: str) -> None:
        self.choices = [self._read(part) for part in text.split("||")]

    def _read(self, text: str) -> list[tuple[str, Version]]:
        terms = []
        for sign, version in TERM.findall(text):
            found = Version.read(version)
            if sign in ("^", "~"):
                terms += [(">=", found), ("<", self._end(sign, found))]
            else:
                terms.append((sign, found))
        if not terms:
            raise ValueError(f"no range: {text!r}")
        return terms

    def _end(self, sign: str, found: Version) -> Version:
        """The first version beyond: "^" keeps the first number that is not 0, "~" the minor."""
        if sign == "~" or (found.major == 0 and found.minor > 0):
            return Version(found.major, found.minor + 1, 0)
        if found.major > 0:
            return Version(found.major + 1, 0, 0)
        return Version(0, 0, found.patch + 1)

    def __contains__(self, version: Version) -> bool:
        """Whether it is in one of the choices.

        A version before a release is so only where one of the choice's terms names such a version
        of the same three numbers.
        """
        return any(self._fits(version, terms) for terms in self.choices)

    def _fits(self, version: Version, terms: list[tuple[str, Version]]) -> bool:
        if not all(COMPARE[sign](version, term) for sign, term in terms):
            return False
        same = (version.major, version.minor, version.patch)
        return not version.pre or any(
            term.pre and same == (term.major, term.minor, term.patch) for _, term in terms
        )


def newest(texts: Iterable[str], wanted: str) -> str | None:
    """The newest of some versions that is in a range."""
    allowed = Range(wanted)
    fits = [version for version in map(Version.read, texts) if version in allowed]
    return str(max(fits)) if fits else None
