"""The write-ahead segments: every ended attempt is a frame in a local file before its answer ends.

Appending is one ``write`` to the page cache, which survives ``kill -9`` of the process; ``sync``
(off the request path) bounds what a power cut takes. One process owns a slot's folder, by a lock on
it. Knows nothing of PostgreSQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path

import orjson

from slipway_contracts.attempt import Attempt, Overdue
from slipway_gateway.attempts import frames, lines, reading
from slipway_gateway.attempts.kept import Kept
from slipway_gateway.attempts.reading import Batch, Hint

# Not 0.1's suffix: a 0.1 that comes back would take these for torn lines and delete them.
SUFFIX = ".seg"
_SUFFIXES = (SUFFIX, lines.SUFFIX)
_NEW = ".new"


class SlotTaken(Exception):
    """Another process owns this slot's folder: give each process a slot of its own."""


class Segments:
    """A slot's folder: the segment that is written now, and those left to ship.

    ``name`` and ``count`` are the segment that is written now and its last row's ordinal; ``end``
    its bytes; ``dirty``: something was appended since the last sync.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._limit = limit
        self._lock = _lock(folder)
        for unfinished in folder.glob("*" + _NEW):
            unfinished.unlink()
        self._sizes = {
            path.name: path.stat().st_size
            for path in sorted(folder.iterdir())
            if path.suffix in _SUFFIXES
        }
        self._hints: dict[str, Hint] = {}
        self._marks: dict[str, Hint] = {}
        self._stripped: set[str] = set()
        # Descriptors of ended segments that no sync has seen yet.
        self._ended: list[int] = []
        self._file = -1
        self._serial = 0
        self._inode = -1
        self._kept = Kept()
        self.dirty = False
        self.name = ""
        self.end = self.count = 0
        self._begin()

    def append(self, row: Attempt | Overdue) -> None:
        """Write one row; it is in the file when this returns. Raises OSError (disk full)."""
        data = frames.encode(row, self.count + 1)
        if self.end and self.end + len(data) > self._limit:
            self._begin()
            data = frames.encode(row, 1)
        frame_size = len(data)
        if not self.end:
            data = frames.header() + data
        written = os.write(self._file, data)
        if written < len(data):
            # Disk full in the middle of a frame: take the torn piece back.
            os.ftruncate(self._file, self.end)
            raise OSError(errno.ENOSPC, "no space left for the attempts log", str(self._folder))
        self.end += written
        self.count += 1
        self.dirty = True
        self._kept.add(self.end - frame_size, self.end)

    def sync(self) -> None:
        """fsync what was appended. Slow: call it in a thread."""
        dirty, self.dirty = self.dirty, False
        current = self._file
        ended, self._ended = self._ended, []
        try:
            for descriptor in ended:
                os.fdatasync(descriptor)
            if dirty and current >= 0 and current not in ended:
                os.fdatasync(current)
        finally:
            for descriptor in ended:
                os.close(descriptor)

    def waiting(self) -> list[str]:
        """Names of all segments, oldest first; the last is written now."""
        return [*self._sizes, self.name]

    def size(self) -> int:
        """Bytes of all segments."""
        return sum(self._sizes.values()) + self.end

    def read(self, name: str, after: int, rows: int) -> Batch:
        """Up to ``rows`` rows after the ordinal ``after``; none when the segment is gone.

        What this process has not written itself a moment ago may come from a slow disk: call it in
        a thread then.
        """
        if name == self.name and (places := self._kept.take(after, rows)):
            return self._just_written(after, places)
        hint = self._hints.get(name, Hint())
        try:
            batch, self._hints[name] = reading.read(self._folder / name, after, rows, hint)
        except FileNotFoundError:
            return Batch(start=after, end=after)
        return batch

    def _just_written(self, after: int, places: list[tuple[int, int]]) -> Batch:
        """Frames of this process's own, which need no search and no check."""
        start, end = places[0][0], places[-1][1]
        data = os.pread(self._file, end - start, start)
        batch = Batch(start=after, end=after + len(places), size=end - start)
        for begins, ends in places:
            kind, payload = frames.opened(data, begins - start, ends - start)
            if kind == frames.ATTEMPT:
                batch.tuples.append(payload)
            else:
                batch.overdue.append(frames.decode_overdue(payload))
        self._hints[self.name] = Hint(inode=self._inode, ordinal=batch.end, offset=end)
        return batch

    def mark(self, name: str) -> None:
        """What is read from here on is on its way, and may not arrive: ``time_after`` knows it."""
        self._marks[name] = self._hints.get(name, Hint())

    def time_after(self, name: str, after: int) -> float | None:
        """Unix seconds at which the row after an ordinal ended; None where there is none.

        Of a segment that would have to be searched, when it was begun: that is no later.
        """
        if name == self.name and after >= self.count:
            return None
        hints = (self._marks.get(name), self._hints.get(name), Hint())
        hint = next((h for h in hints if h is not None and h.ordinal == after), None)
        if name.endswith(SUFFIX) and hint is not None:
            with contextlib.suppress(FileNotFoundError):
                found = reading.first_time(self._folder / name, hint)
                if found is not None:
                    return found
        begun = name.split("-", 1)[0]
        return int(begun) / 1e9 if begun.isdecimal() else None

    def read_lines(self, name: str, offset: int, rows: int) -> lines.Rows:
        """The same of a segment that 0.1 has left, from a byte offset."""
        return lines.read(self._folder / name, offset, rows)

    def drop(self, name: str) -> None:
        """Delete a segment; never the one that is written now."""
        if name != self.name:
            (self._folder / name).unlink(missing_ok=True)
            self._sizes.pop(name, None)
            self._hints.pop(name, None)
            self._marks.pop(name, None)
            self._stripped.discard(name)

    def with_texts(self) -> list[str]:
        """Ended segments that ``strip`` may make smaller, oldest first."""
        return [n for n in self._sizes if n.endswith(SUFFIX) and n not in self._stripped]

    async def strip(self, name: str, after: int) -> int:
        """Take the texts (and the rows up to ``after``) out of an ended segment.

        The work is done in a thread and the file is replaced as a whole. Returns how many rows had
        texts. Raises OSError.
        """
        path = self._folder / name
        fresh = path.with_suffix(_NEW)
        try:
            rows = await asyncio.to_thread(reading.strip, path, fresh, after)
        except FileNotFoundError:  # shipped and dropped meanwhile
            return 0
        else:
            if name in self._sizes:
                self._sizes[name] = fresh.stat().st_size
                self._stripped.add(name)
                fresh.replace(path)
            return rows
        finally:
            fresh.unlink(missing_ok=True)

    def rows_after(self, name: str, after: int) -> int:
        """How many rows an ended segment has after an ordinal or offset. Slow: in a thread."""
        path = self._folder / name
        try:
            return (
                lines.count(path, after)
                if path.suffix == lines.SUFFIX
                else (reading.count(path, after))
            )
        except FileNotFoundError:
            return 0

    def reject(self, row: Attempt | Overdue) -> None:
        """Put a row that PostgreSQL cannot hold aside, for a person to look at."""
        with (self._folder / "rejected.jsonl").open("ab") as file:
            file.write(orjson.dumps(row) + b"\n")

    def close(self) -> None:
        """Sync, close and release the slot. Safe to call twice."""
        if self._file >= 0:
            self._ended.append(self._file)
            self._file = -1
            with contextlib.suppress(OSError):
                self.sync()
            os.close(self._lock)

    def _begin(self) -> None:
        """Open the next segment; the one before stays to be shipped."""
        self._serial += 1
        # Sorts by time; unique even when two starts share a clock reading.
        name = f"{time.time_ns():020d}-{os.getpid()}-{self._serial}{SUFFIX}"
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
        file = os.open(self._folder / name, flags, 0o600)
        if self._file >= 0:
            self._ended.append(self._file)
            self._sizes[self.name] = self.end
        self._file, self.name, self.end, self.count = file, name, 0, 0
        self._inode = os.fstat(file).st_ino
        self._kept = Kept()


def _lock(folder: Path) -> int:
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise SlotTaken(
            f"{folder} is in use by another gateway process; give each process a "
            "SLIPWAY_GATEWAY_SLOT and a SLIPWAY_GATEWAY_STATE_DIR of its own"
        ) from error
    return lock
