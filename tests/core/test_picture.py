"""Pictures that say where things are in them."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.envs.toys.png import encode_png
from agentgym.picture import KEYWORD, Places, find_places, with_places

PICTURE = encode_png([b"\x00\xff"] * 2)
sizes = st.floats(0, 1e4)


@given(
    width=sizes, height=sizes, boxes=st.dictionaries(st.integers(0, 99), st.tuples(*[sizes] * 4))
)
def test_places_are_read_as_they_were_written(
    width: float, height: float, boxes: dict[int, tuple[float, float, float, float]]
) -> None:
    places = Places(width=width, height=height, boxes=boxes)
    assert find_places(with_places(PICTURE, places)) == places


def test_the_picture_stays_what_it_was() -> None:
    told = with_places(PICTURE, Places(width=2, height=2))
    before, end = PICTURE[:-12], PICTURE[-12:]
    assert told.startswith(before) and told.endswith(end)
    added = told[len(before) : -len(end)]
    size, crc = struct.unpack("!I", added[:4])[0], struct.unpack("!I", added[-4:])[0]
    assert (size, crc) == (len(added) - 12, zlib.crc32(added[4:-4]))


@pytest.mark.parametrize(
    "told",
    [
        b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"width":1,"height":1}',
        b'{"width":1,"height":NaN,"boxes":{}}', b'{"width":1e999,"height":1,"boxes":{}}',
        b'{"width":1,"height":1' + b"0" * 400 + b',"boxes":{}}',
        b'{"width":1,"height":1,"boxes":{"a":[1,1,1,1]}}',
        b'{"width":1,"height":1,"boxes":{"1":[1,1,1]}}',
        b'{"width":1,"height":1,"boxes":{"1":["<b>",1,1,1]}}',
    ],
)  # fmt: skip
def test_places_that_make_no_sense_are_none(told: bytes) -> None:
    data = KEYWORD + b"\0" + told
    chunk = struct.pack("!I", len(data)) + b"tEXt" + data + b"\0\0\0\0"
    assert find_places(PICTURE[:8] + chunk + PICTURE[8:]) is None


def test_a_file_that_is_cut_anywhere_has_no_places() -> None:
    whole = with_places(PICTURE, Places(width=2, height=2, boxes={1: (0, 0, 1, 1)}))
    assert all(find_places(whole[:end]) is None for end in range(whole.index(KEYWORD)))
    assert find_places(PICTURE) is None
