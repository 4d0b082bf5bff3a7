"""Versions such as 1.4.0-beta.2, which one is newer, and ranges of them."""

from semver.ranges import Range, newest
from semver.version import Version

__all__ = ["Range", "Version", "newest"]
