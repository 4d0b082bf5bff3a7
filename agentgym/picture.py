"""What a picture of a window says of the window: kept inside the PNG file, as text."""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

PNG = b"\x89PNG\r\n\x1a\n"
KEYWORD = b"agentgym"
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, width and height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """A window's size, and where what can be used on it stands; all in CSS pixels."""

    width: float
    height: float
    boxes: Mapping[int, Box] = field(default_factory=dict)
    """By the number that is drawn beside it."""


def with_places(png: bytes, places: Places) -> bytes:
    """The PNG file with the places in it; whoever does not know of them sees the same picture.

    Source: the PNG specification, tEXt.
    """
    boxes = {str(number): list(box) for number, box in places.boxes.items()}
    told = {"width": places.width, "height": places.height, "boxes": boxes}
    data = KEYWORD + b"\0" + json.dumps(told, separators=(",", ":")).encode("ascii")
    chunk = struct.pack("!I", len(data)) + b"tEXt" + data
    end = png.rindex(b"IEND") - 4
    return png[:end] + chunk + struct.pack("!I", zlib.crc32(b"tEXt" + data)) + png[end:]


def find_places(png: bytes) -> Places | None:
    """The places in a PNG file; None where there are none, or none that make sense."""
    for kind, data in _chunks(png):
        if kind == b"tEXt" and data.startswith(KEYWORD + b"\0"):
            try:
                return _places(json.loads(data[len(KEYWORD) + 1 :]))
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
                return None
    return None


def _places(told: Any) -> Places:
    boxes = {int(number): _numbers(box, 4) for number, box in told["boxes"].items()}
    width, height = _numbers((told["width"], told["height"]), 2)
    return Places(width=width, height=height, boxes=boxes)


def _numbers(values: Any, count: int) -> Any:
    found = tuple(float(value) for value in values)
    if len(found) != count or not all(map(math.isfinite, found)):
        raise ValueError(f"{values!r} are not {count} numbers")
    return found


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    start = len(PNG)
    while start + 8 <= len(png):
        size, kind = struct.unpack("!I4s", png[start : start + 8])
        yield kind, png[start + 8 : start + 8 + size]
        start += size + 12
