"""Segments as Slipway 0.1 wrote them (``.wal``): lines ``crc32 kind json``. Read, never written.

A gateway that was upgraded in place ships what its predecessor left. What PostgreSQL remembers as
shipped of such a segment is the byte offset after a line.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

import orjson

from slipway_contracts.attempt import Attempt, Overdue

SUFFIX = ".wal"
_KINDS: dict[bytes, type[Attempt] | type[Overdue]] = {b"a": Attempt, b"o": Overdue}
_TIMES = ("timestamp", "started_at")
_ROW_BYTES = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What was read. ``end``: where to go on; unchanged when nothing more can be read."""

    end: int
    attempts: list[Attempt]
    overdue: list[Overdue]


def read(path: Path, offset: int, limit: int) -> Rows:
    """Up to ``limit`` rows from ``offset``.

    A torn or foreign line is skipped: it was never acknowledged. What follows the last newline died
    in the writing.
    """
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(max(64 * 1024, limit * _ROW_BYTES))
        while b"\n" not in data and (more := file.read(1024 * 1024)):
            data += more
    attempts: list[Attempt] = []
    overdue: list[Overdue] = []
    start = 0
    while len(attempts) + len(overdue) < limit and (newline := data.find(b"\n", start)) >= 0:
        row = decode(data[start:newline])
        start = newline + 1
        if isinstance(row, Attempt):
            attempts.append(row)
        elif row is not None:
            overdue.append(row)
    return Rows(end=offset + start, attempts=attempts, overdue=overdue)


def count(path: Path, offset: int) -> int:
    """Lines from an offset on. Slow: in a thread."""
    with path.open("rb") as file:
        file.seek(offset)
        return sum(1 for _ in file)


def decode(line: bytes) -> Attempt | Overdue | None:
    """A line without its newline → its row; None when it is torn or not ours."""
    checksum, _, payload = line.partition(b" ")
    if b"%08x" % zlib.crc32(payload) != checksum:
        return None
    kind = _KINDS.get(payload[:1])
    if kind is None:
        return None
    values = orjson.loads(payload[2:])
    known = {field.name for field in fields(kind)}
    values = {name: value for name, value in values.items() if name in known}
    for name in _TIMES:
        values[name] = datetime.fromisoformat(values[name])
    return kind(**values)
