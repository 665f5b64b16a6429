"""Reading a segment's file from an ordinal on, and writing it anew without its texts.

Where an ordinal lies in the file is remembered only as a hint: after a restart, or when the file
was rewritten, it is found again from the start. Knows no folder and no database.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from slipway_contracts.attempt import Overdue
from slipway_gateway.attempts import frames
from slipway_store import tuples

CHUNK = 1024 * 1024
# Between two pieces of a rewriting other threads get their turn.
_PAUSE = 0.002
_TEXTS = tuples.COLUMNS[:2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """After ``ordinal`` the file ``inode`` goes on at ``offset``."""

    inode: int = -1
    ordinal: int = 0
    offset: int = 0
    columns: tuple[str, ...] = tuples.COLUMNS


@dataclass(slots=True, kw_only=True)
class Batch:
    """Rows after ``start`` up to ``end``; the same when there are none. ``tuples`` are attempts."""

    start: int
    end: int
    columns: tuple[str, ...] = tuples.COLUMNS
    tuples: list[bytes] = field(default_factory=list)
    overdue: list[Overdue] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.tuples) + len(self.overdue)


def read(path: Path, start: int, limit: int, hint: Hint) -> tuple[Batch, Hint]:
    """Up to ``limit`` rows (or about ``CHUNK`` bytes) after the ordinal ``start``."""
    batch, size = Batch(start=start, end=start), CHUNK
    with path.open("rb", buffering=0) as file:
        inode = os.fstat(file.fileno()).st_ino
        if (hint.inode, hint.ordinal) != (inode, start):
            hint = Hint(inode=inode)
        batch.columns, offset = hint.columns, hint.offset
        while True:
            data = os.pread(file.fileno(), size, offset)
            last = len(data) < size
            used = _gather(batch, data, limit, last=last)
            offset += used
            if len(batch) or last:
                break
            if not used:
                size *= 2
    return batch, Hint(inode=inode, ordinal=batch.end, offset=offset, columns=batch.columns)


def _gather(batch: Batch, data: bytes, limit: int, *, last: bool) -> int:
    """Add the rows of a piece to the batch; how many of its bytes were looked at."""
    end = 0
    for kind, ordinal, payload, end in frames.scan(data, whole=last):  # noqa: B007
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
    return end


def strip(path: Path, target: Path, after: int) -> None:
    """Write the rows after the ordinal ``after`` to ``target``, without texts. Slow: in a thread.

    A segment whose tuples do not begin with the two texts (another program's) is copied as it is.
    """
    size, offset, columns = CHUNK, 0, tuples.COLUMNS
    with path.open("rb", buffering=0) as source, target.open("wb", buffering=0) as file:
        while True:
            data = os.pread(source.fileno(), size, offset)
            last, end, pieces = len(data) < size, 0, []
            for kind, ordinal, payload, end in frames.scan(data, whole=last):  # noqa: B007
                if kind == frames.COLUMNS:
                    columns = tuple(orjson.loads(payload))
                elif ordinal <= after:
                    continue
                kept = payload
                if kind == frames.ATTEMPT and columns[:2] == _TEXTS:
                    kept = tuples.without_texts(payload)
                pieces.append(frames.frame(kind, ordinal, kept))
            file.write(b"".join(pieces))
            if last:
                break
            offset += end
            size = CHUNK if end else size * 2
            time.sleep(_PAUSE)
        os.fdatasync(file.fileno())
