"""Version: three numbers, and perhaps what comes before a release."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

FORM = re.compile(
    r"v?(?P<major>0|[1-9]\d*)\.(?P<minor>0|[1-9]\d*)\.(?P<patch>0|[1-9]\d*)"
    r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+(?P<build>[0-9A-Za-z.-]+))?"
)


@total_ordering
@dataclass(frozen=True, eq=False)
class Version:
    """A version. What follows a plus sign says how it was built, and orders nothing."""

    major: int
    minor: int
    patch: int
    pre: tuple[str, ...] = ()
    build: str = ""

    @classmethod
    def read(cls, text: str) -> Version:
        """Read a version."""
        found = FORM.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"no version: {text!r}")
        numbers = (int(found[name]) for name in ("major", "minor", "patch"))
        pre = tuple(found["pre"].split(".")) if found["pre"] else ()
        return cls(*numbers, pre, found["build"] or "")

    @property
    def order(self) -> tuple[object, ...]:
        """By this versions are compared.

        A release comes after all that is before it. Parts that are numbers are compared as such and
        come before words; of two that begin alike the longer one comes later.
        """
        parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.pre)
        return (self.major, self.minor, self.patch, not self.pre, parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.order == other.order

    def __lt__(self, other: Version) -> bool:
        return self.order < other.order

    def __hash__(self) -> int:
        return hash(self.order)

    def __str__(self) -> str:
        pre = "-" + ".".join(self.pre) if self.pre else ""
        return f"{self.major}.{self.minor}.{self.patch}{pre}" + (self.build and f"+{self.build}")

    def bump(self, part: str) -> Version:
        """The next release: of a version before a release, the release itself if it fits."""
        if part == "major":
            done = bool(self.pre) and self.minor == self.patch == 0
            return Version(self.major + (not done), 0, 0)
        if part == "minor":
            done = bool(self.pre) and self.patch == 0
            return Version(self.major, self.minor + (not done), 0)
        if part == "patch":
            return Version(self.major, self.minor, self.patch + (not self.pre))
        raise ValueError(f"no part of a version: {part!r}")
