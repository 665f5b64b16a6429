"""The write-ahead segment: every ended attempt is one line in a local file before its answer ends.

A line is ``crc32 kind json\\n``; the checksum tells a line that a crash cut. Appending is one
``write`` to the page cache, which survives ``kill -9`` of the process; ``sync`` (off the request
path) bounds what a power cut takes. One process owns a slot's folder, by a lock on it. Knows
nothing of PostgreSQL.
"""

from __future__ import annotations

import fcntl
import os
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

import orjson

from slipway_contracts.attempt import Attempt, Overdue

SUFFIX = ".wal"
_KINDS: dict[bytes, type[Attempt] | type[Overdue]] = {b"a": Attempt, b"o": Overdue}
_TIMES = ("timestamp", "started_at")


class SlotTaken(Exception):
    """Another process owns this slot's folder: give each process a slot of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One readable line. ``end``: the offset after it."""

    end: int
    row: Attempt | Overdue


def encode(row: Attempt | Overdue) -> bytes:
    """A row as one line."""
    kind = b"a" if isinstance(row, Attempt) else b"o"
    payload = kind + b" " + orjson.dumps(row)
    return b"%08x %b\n" % (zlib.crc32(payload), payload)


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


class Segments:
    """A slot's folder: the segment that is written now, and those left to ship."""

    def __init__(self, folder: Path, limit: int) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._limit = limit
        self._lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise SlotTaken(
                f"{folder} is in use by another gateway process; give each process a "
                "SLIPWAY_GATEWAY_SLOT and a SLIPWAY_GATEWAY_STATE_DIR of its own"
            ) from error
        self._file = -1
        self._serial = 0
        self._dirty = False
        self.name = ""
        self.end = 0
        self._open_next()

    def append(self, row: Attempt | Overdue) -> None:
        """Write one row; it is in the file when this returns. Raises OSError (disk full)."""
        line = encode(row)
        if self.end and self.end + len(line) > self._limit:
            os.close(self._file)
            self._open_next()
        written = os.write(self._file, line)
        if written < len(line):
            # Disk full in the middle of a line: take the torn piece back, so that the next line
            # is readable.
            os.ftruncate(self._file, self.end)
            raise OSError(28, "no space left for the attempts log", str(self._folder))
        self.end += written
        self._dirty = True

    def sync(self) -> None:
        """fsync what was appended. Slow: call it in a thread."""
        if self._dirty:
            self._dirty = False
            os.fdatasync(self._file)

    def waiting(self) -> list[str]:
        """Names of all segments, oldest first; the last is written now."""
        return sorted(path.name for path in self._folder.glob("*" + SUFFIX))

    def read(self, name: str, offset: int, rows: int) -> tuple[list[Entry], int]:
        """Up to ``rows`` entries from ``offset``, and the offset after what was looked at.

        A torn or foreign line is skipped: it was never acknowledged. What follows the last newline
        is not looked at: it is being written, or died in the writing.
        """
        with (self._folder / name).open("rb") as file:
            file.seek(offset)
            data = file.read(max(64 * 1024, rows * 2048))
            while b"\n" not in data and (more := file.read(1024 * 1024)):
                data += more
        entries: list[Entry] = []
        for end, line in _lines(data, offset):
            offset = end
            if (row := decode(line)) is not None:
                entries.append(Entry(end=end, row=row))
                if len(entries) == rows:
                    break
        return entries, offset

    def size(self, name: str) -> int:
        """Bytes of a segment, with a torn tail."""
        return self.end if name == self.name else (self._folder / name).stat().st_size

    def drop(self, name: str) -> None:
        """Delete a shipped segment; never the one that is written now."""
        if name != self.name:
            (self._folder / name).unlink(missing_ok=True)

    def reject(self, row: Attempt | Overdue) -> None:
        """Put a row that PostgreSQL cannot hold aside, for a person to look at."""
        with (self._folder / "rejected.jsonl").open("ab") as file:
            file.write(orjson.dumps(row) + b"\n")

    def close(self) -> None:
        """Sync, close and release the slot. Safe to call twice."""
        if self._file >= 0:
            self.sync()
            os.close(self._file)
            os.close(self._lock)
            self._file = -1

    def _open_next(self) -> None:
        self._serial += 1
        # Sorts by time; unique even when two starts share a clock reading.
        self.name = f"{time.time_ns():020d}-{os.getpid()}-{self._serial}{SUFFIX}"
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self._folder / self.name, flags, 0o600)
        self.end = 0


def _lines(data: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    start = 0
    while (newline := data.find(b"\n", start)) >= 0:
        yield offset + newline + 1, data[start:newline]
        start = newline + 1
