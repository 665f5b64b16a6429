"""Reading a segment's file from an ordinal on, and writing it anew without its texts.

Where an ordinal lies in the file is remembered only as a hint: after a restart, or when the file
was rewritten, it is found again from the start. Knows no folder and no database.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from slipway_contracts.attempt import Overdue
from slipway_gateway.attempts import frames
from slipway_store import tuples

CHUNK = 4 * 1024 * 1024
MIN_PIECE = 64 * 1024
# Between two pieces of a rewriting other threads get their turn.
_PAUSE = 0.002
_TEXTS = tuples.COLUMNS[:2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """After ``ordinal`` the file ``inode`` goes on at ``offset``; ``piece`` bytes are read next."""

    inode: int = -1
    ordinal: int = 0
    offset: int = 0
    piece: int = 256 * 1024
    columns: tuple[str, ...] = tuples.COLUMNS


@dataclass(slots=True, kw_only=True)
class Batch:
    """Rows after ``start`` up to ``end``; the same when there are none. ``tuples`` are attempts.

    ``size``: about the bytes that they took in the file.
    """

    start: int
    end: int
    size: int = 0
    columns: tuple[str, ...] = tuples.COLUMNS
    tuples: list[bytes] = field(default_factory=list)
    overdue: list[Overdue] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.tuples) + len(self.overdue)

    def add(self, following: Batch) -> None:
        """Take in the rows that follow in the same segment."""
        self.columns = following.columns
        self.tuples += following.tuples
        self.overdue += following.overdue
        self.size += following.size
        self.end = following.end


def read(path: Path, start: int, limit: int, hint: Hint) -> tuple[Batch, Hint]:
    """Up to ``limit`` rows (or about ``CHUNK`` bytes) after the ordinal ``start``."""
    batch = Batch(start=start, end=start)
    with path.open("rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        if (hint.inode, hint.ordinal) != (status.st_ino, start):
            hint = Hint(inode=status.st_ino, piece=CHUNK)
        batch.columns, offset, size = hint.columns, hint.offset, hint.piece
        while offset < status.st_size and not len(batch):
            data = os.pread(file.fileno(), min(size, status.st_size - offset), offset)
            last = offset + len(data) >= status.st_size
            used = _gather(batch, data, limit, last=last)
            offset += used
            if last:
                break
            size = max(CHUNK, size) if used else 2 * size
    batch.size = offset - hint.offset
    # The next rows will be about as large: little more is read than is used.
    piece = min(max(MIN_PIECE, batch.size * 5 // 4), CHUNK)
    return batch, Hint(
        inode=status.st_ino,
        ordinal=batch.end,
        offset=offset,
        piece=piece,
        columns=batch.columns,
    )


def first_time(path: Path, hint: Hint) -> float | None:
    """Unix seconds at which the row after the hint's ended; None where none is near it."""
    with path.open("rb", buffering=0) as file:
        if hint.ordinal and os.fstat(file.fileno()).st_ino != hint.inode:
            return None
        for size in (MIN_PIECE, CHUNK):
            data = os.pread(file.fileno(), size, hint.offset)
            found = _first_time(data, hint.columns)
            if found is not None or len(data) < size:
                return found
    return None


def _first_time(data: bytes, columns: tuple[str, ...]) -> float | None:
    for kind, _, payload, _ in frames.scan(data, whole=False):
        if kind == frames.COLUMNS:
            columns = tuple(orjson.loads(payload))
        elif kind == frames.ATTEMPT:
            row = tuples.decode(columns, payload)
            return row.timestamp.timestamp()
        else:
            return frames.decode_overdue(payload).timestamp.timestamp()
    return None


def _gather(batch: Batch, data: bytes, limit: int, *, last: bool) -> int:
    """Add the rows of a piece to the batch; how many of its bytes were used."""
    used = 0
    for kind, ordinal, payload, end in frames.scan(data, whole=last):
        used = end
        if kind == frames.COLUMNS:
            batch.columns = tuple(orjson.loads(payload))
        elif ordinal > batch.end:
            batch.end = ordinal
            if kind == frames.ATTEMPT:
                batch.tuples.append(payload)
            else:
                batch.overdue.append(frames.decode_overdue(payload))
            if len(batch) == limit:
                break
    return used


def count(path: Path, after: int) -> int:
    """Rows after an ordinal. Slow: in a thread."""
    rows = 0
    with path.open("rb", buffering=0) as file:
        for piece in _pieces(file.fileno(), 0):
            rows += sum(ordinal > after for _, ordinal, _, _ in piece)
            time.sleep(_PAUSE)
    return rows


def strip(path: Path, target: Path, after: int) -> int:
    """Write the rows after the ordinal ``after`` to ``target``, without texts. Slow: in a thread.

    A segment whose tuples do not begin with the two texts (another program's) is copied as it is.
    Returns how many rows had texts.
    """
    rows, columns = 0, tuples.COLUMNS
    with path.open("rb", buffering=0) as source, target.open("wb") as file:
        for piece in _pieces(source.fileno(), 0):
            for kind, ordinal, payload, _ in piece:
                if kind == frames.COLUMNS:
                    columns = tuple(orjson.loads(payload))
                elif ordinal <= after:
                    continue
                kept = payload
                if kind == frames.ATTEMPT and columns[:2] == _TEXTS:
                    kept = tuples.without_texts(payload)
                    rows += len(kept) < len(payload)
                file.write(frames.frame(kind, ordinal, kept))
            time.sleep(_PAUSE)
        file.flush()
        os.fdatasync(file.fileno())
    return rows


def _pieces(descriptor: int, offset: int) -> Iterator[list[frames.Frame]]:
    """The frames of a file from an offset on, by pieces of about ``CHUNK`` bytes."""
    end, size = os.fstat(descriptor).st_size, CHUNK
    while offset < end:
        data = os.pread(descriptor, min(size, end - offset), offset)
        last = offset + len(data) >= end
        found = list(frames.scan(data, whole=last))
        yield found
        if last:
            return
        offset += found[-1].end if found else 0
        size = CHUNK if found else 2 * size
