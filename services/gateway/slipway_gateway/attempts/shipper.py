"""Ships the segments to PostgreSQL in idempotent batches, off the request path.

Rows and the segment's offset go in one transaction, so a crash on either side of it neither loses
nor doubles a row. What a killed process left is shipped by the next one of the same slot, by the
same code. PostgreSQL away: the segments wait. ``watermark`` is the time up to which every attempt
that ended in this process is in PostgreSQL; it rises when idle, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from asyncpg import (
    DataError,
    IntegrityConstraintViolationError,
    ReadOnlySQLTransactionError,
    UndefinedColumnError,
)

from slipway_contracts.attempt import Attempt, Overdue
from slipway_gateway.attempts import lines
from slipway_gateway.attempts.clock import RowClock
from slipway_gateway.attempts.reading import Batch
from slipway_gateway.attempts.segment import Segments
from slipway_store import attempts as store
from slipway_store import tuples
from slipway_store.connect import Pool
from slipway_store.ending import end_if_cancelled

logger = logging.getLogger(__name__)

BACKOFF_FIRST = 0.2
BACKOFF_LIMIT = 2.0
TIMEOUT = 20.0
# A quarter of a millisecond.
PIECE = 200
BATCH_BYTES = 4 * 1024 * 1024
# What a row can be guilty of; anything else is the server's state and passes.
POISON = (DataError, IntegrityConstraintViolationError)


class Shipper:
    """One per process. ``run`` until cancelled; ``ship_all`` once more at exit."""

    def __init__(
        self,
        segments: Segments,
        clock: RowClock,
        *,
        gateway: str,
        interval: float,
        batch_rows: int,
    ) -> None:
        self._segments = segments
        self._clock = clock
        self._gateway = gateway
        self._interval = interval
        self._batch_rows = batch_rows
        self._offsets: dict[str, int] = {}
        self._busy = asyncio.Lock()
        # What earlier processes of this slot left; not counted as this one's rows.
        self._left = frozenset(segments.waiting()) - {segments.name}
        # Nothing of this process has ended before its start.
        self.watermark: datetime = clock.now()
        self.shipped = 0
        self.given_up = 0

    async def run(self, pool: Pool) -> None:
        """Ship every ``interval``; wait longer while PostgreSQL does not answer."""
        backoff = BACKOFF_FIRST
        while True:
            try:
                await self.ship_all(pool)
            except Exception as error:
                end_if_cancelled()
                # Whatever it is (away, slow, not migrated yet): the segments keep the rows.
                logger.warning("attempts wait in %s: %r", self._segments.name, error)
                if isinstance(error, ReadOnlySQLTransactionError):
                    # A connection that was opened while the server only read does so for ever.
                    await pool.expire_connections()
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, BACKOFF_LIMIT)
                continue
            backoff = BACKOFF_FIRST
            await asyncio.sleep(self._interval)

    async def ship_all(self, pool: Pool) -> None:
        """Everything that is in the segments now; then the watermark rises to its beginning."""
        async with self._busy:
            reached = self._clock.now()
            current, count = self._segments.name, self._segments.count
            for name in self._segments.waiting():
                if name == current:
                    await self._ship_segment(pool, name, count)
                    # Not the name that is current by now: rows came to this one since ``count``.
                    break
                if name.endswith(lines.SUFFIX):
                    await self._ship_lines(pool, name)
                else:
                    await self._ship_segment(pool, name, None)
                self._segments.drop(name)
                self._offsets.pop(name, None)
                await store.forget_segment(pool, self._gateway, name)
            self.watermark = reached

    def shipped_of(self, name: str) -> int:
        """Up to where a segment is known to be in PostgreSQL."""
        return self._offsets.get(name, 0)

    def forget(self, name: str, rows: int) -> None:
        """A segment was deleted with ``rows`` that nobody will ship."""
        self._offsets.pop(name, None)
        if name not in self._left:
            self.given_up += rows

    async def _ship_segment(self, pool: Pool, name: str, until: int | None) -> None:
        """Up to the ordinal ``until``; None: to the end of a segment that has ended."""
        offset = await self._offset(pool, name)
        while until is None or offset < until:
            batch = await self._read(name, offset, until)
            if not len(batch):
                break
            offset = self._offsets[name] = await self._ship(pool, name, batch)

    async def _read(self, name: str, offset: int, until: int | None) -> Batch:
        """A batch, in pieces: what reads holds up the requests.

        Rows that come while it reads wait for the next one: to run after the end of a segment that
        grows would read it a few rows at a time.
        """
        batch = Batch(start=offset, end=offset)
        self._segments.mark(name)
        while (left := self._batch_rows - len(batch)) > 0 and batch.size < BATCH_BYTES:
            rows = min(left, PIECE)
            if until is not None:
                rows = min(rows, until - batch.end)
                if rows <= 0:
                    break
                piece = self._segments.read(name, batch.end, rows)
                await asyncio.sleep(0)
            else:
                piece = await asyncio.to_thread(self._segments.read, name, batch.end, rows)
            if not len(piece):
                break
            batch.add(piece)
        return batch

    async def _ship_lines(self, pool: Pool, name: str) -> None:
        offset = await self._offset(pool, name)
        while True:
            found = self._segments.read_lines(name, offset, self._batch_rows)
            if found.end == offset:
                return
            await self._ship_rows(pool, name, found.end, [*found.attempts, *found.overdue])
            offset = self._offsets[name] = found.end

    async def _offset(self, pool: Pool, name: str) -> int:
        """Where to go on: known here, else asked once (a segment that another process left)."""
        if name not in self._offsets:
            known = 0
            if name in self._left:
                async with asyncio.timeout(TIMEOUT):
                    known = await store.shipped_offset(pool, self._gateway, name)
            self._offsets[name] = known
        return self._offsets[name]

    async def _ship(self, pool: Pool, name: str, batch: Batch) -> int:
        """Returns where PostgreSQL says that the segment is: the batch's end, as a rule."""
        try:
            async with asyncio.timeout(TIMEOUT):
                stored = await store.copy(
                    pool,
                    gateway=self._gateway,
                    segment=name,
                    start=batch.start,
                    end=batch.end,
                    attempts=batch.tuples,
                    columns=batch.columns,
                    overdue=batch.overdue,
                )
        except (*POISON, UndefinedColumnError) as error:
            if isinstance(error, UndefinedColumnError) and batch.columns == tuples.COLUMNS:
                # Our own columns: the schema is not migrated yet, the rows wait for it.
                raise
            rows = [tuples.decode(batch.columns, data) for data in batch.tuples]
            await self._ship_rows(pool, name, batch.end, [*rows, *batch.overdue])
            return batch.end
        if stored == batch.end:
            self._count(name, len(batch))
        elif stored > batch.start:
            # The answer to an earlier batch was lost; it held the rows up to there.
            self._count(name, stored - batch.start)
        return stored

    async def _ship_rows(
        self, pool: Pool, name: str, offset: int, rows: Sequence[Attempt | Overdue]
    ) -> None:
        """The slow way, which finds a row that PostgreSQL cannot hold and sets it aside.

        It must not stop the others for ever. Rows go without the offset then: a repeat leaves what
        is there as it is.
        """
        try:
            await self._send(pool, name, offset, rows)
        except POISON:
            for row in rows:
                try:
                    async with asyncio.timeout(TIMEOUT):
                        await store.insert(pool, row)
                except POISON as error:
                    logger.error("row of %s refused: %r", row.request_id, error)
                    self._segments.reject(row)
            await self._send(pool, name, offset, ())
        self._count(name, len(rows))

    async def _send(
        self, pool: Pool, name: str, offset: int, rows: Sequence[Attempt | Overdue]
    ) -> None:
        async with asyncio.timeout(TIMEOUT):
            await store.ship(
                pool,
                gateway=self._gateway,
                segment=name,
                offset=offset,
                attempts=[row for row in rows if isinstance(row, Attempt)],
                overdue=[row for row in rows if isinstance(row, Overdue)],
            )

    def _count(self, name: str, rows: int) -> None:
        if name not in self._left:
            self.shipped += rows
