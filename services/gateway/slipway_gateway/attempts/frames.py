"""How rows lie in a segment's file: frames with a checksum, and what a crash left recognised.

::

    frame   = magic (3) kind (1) | ordinal (4) | length (4) | crc32 (4) | payload
    segment = frame 'h' (the columns of the tuples), then frames 'a' (attempts) and 'o' (overdue)

The ordinal counts a segment's rows from 1 and is what PostgreSQL remembers as shipped: it survives
a rewriting of the file. After bytes that are no frame, reading goes on at the next whole frame.
Knows no files and no database.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from typing import Any, Final, NamedTuple
from zlib import crc32

import orjson

from slipway_contracts.attempt import Attempt, Overdue
from slipway_store import tuples

MAGIC: Final = b"\xf1SL"
COLUMNS, ATTEMPT, OVERDUE = b"h", b"a", b"o"
_HEAD: Final = struct.Struct("<4sIII")
_MAGICS: Final = {MAGIC + kind: kind for kind in (COLUMNS, ATTEMPT, OVERDUE)}
_ATTEMPT_MAGIC: Final = MAGIC + ATTEMPT


class Frame(NamedTuple):
    """``end``: the offset after it in what was looked at."""

    kind: bytes
    ordinal: int
    payload: bytes
    end: int


def encode(row: Attempt | Overdue, ordinal: int) -> bytes:
    """A row as a frame."""
    if isinstance(row, Attempt):
        return frame(ATTEMPT, ordinal, tuples.encode(row))
    return frame(OVERDUE, ordinal, _plain(row))


def frame(kind: bytes, ordinal: int, payload: bytes) -> bytes:
    """Any payload as a frame."""
    magic = _ATTEMPT_MAGIC if kind == ATTEMPT else MAGIC + kind
    return _HEAD.pack(magic, ordinal, len(payload), crc32(payload, ordinal)) + payload


def opened(data: bytes, start: int, end: int) -> tuple[bytes, bytes]:
    """Kind and payload of a frame that is known to lie there, and to be whole."""
    return data[start + 3 : start + 4], data[start + _HEAD.size : end]


def header() -> bytes:
    """The first frame of a segment of this program."""
    return frame(COLUMNS, 0, orjson.dumps(tuples.COLUMNS))


def scan(data: bytes, *, whole: bool) -> Iterator[Frame]:
    """The frames of a piece of a file that begins at a frame.

    Ends before a frame that is cut; with ``whole`` (nothing follows the piece) a frame that is cut
    or damaged is passed over.
    """
    position, size = 0, len(data)
    while position < size:
        found = _frame_at(data, position)
        if found is not None:
            yield found
            position = found.end
        elif not whole and _is_cut(data, position):
            return
        else:
            following = data.find(MAGIC, position + 1)
            if following < 0:
                return
            position = following


def decode_overdue(payload: bytes) -> Overdue:
    """The payload of a frame ``OVERDUE``."""
    values = orjson.loads(payload)
    known = {field.name for field in fields(Overdue)}
    values = {name: value for name, value in values.items() if name in known}
    for name in ("timestamp", "started_at"):
        values[name] = datetime.fromisoformat(values[name])
    return Overdue(**values)


def _frame_at(data: bytes, position: int) -> Frame | None:
    start = position + _HEAD.size
    if start > len(data):
        return None
    magic, ordinal, length, checksum = _HEAD.unpack_from(data, position)
    payload = data[start : start + length]
    kind = _MAGICS.get(magic)
    # Nothing is empty; a page of zeros that a power cut has left would be, with a right checksum.
    if kind is None or not length or len(payload) < length:
        return None
    if crc32(payload, ordinal) != checksum:
        return None
    return Frame(kind, ordinal, payload, start + length)


def _is_cut(data: bytes, position: int) -> bool:
    if len(data) - position < _HEAD.size:
        return True
    magic, _, length, _ = _HEAD.unpack_from(data, position)
    return magic in _MAGICS and position + _HEAD.size + length > len(data)


def _plain(row: Overdue) -> bytes:
    try:
        return orjson.dumps(row)
    except TypeError:  # a lone surrogate in a name that a client chose
        return orjson.dumps({name: _utf8(getattr(row, name)) for name in row.__dataclass_fields__})


def _utf8(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
