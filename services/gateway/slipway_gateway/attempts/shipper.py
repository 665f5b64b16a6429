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

from asyncpg import DataError, IntegrityConstraintViolationError

from slipway_contracts.attempt import Attempt, Overdue
from slipway_gateway.attempts.clock import RowClock
from slipway_gateway.attempts.segment import Entry, Segments
from slipway_store import attempts as store
from slipway_store.connect import Pool

logger = logging.getLogger(__name__)

BACKOFF_FIRST = 0.2
BACKOFF_LIMIT = 5.0
TIMEOUT = 20.0
# What a row can be guilty of; anything else is the server's state and passes.
POISON = (DataError, IntegrityConstraintViolationError)


class Shipper:
    """One per process. ``run`` until cancelled; ``flush`` at exit."""

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

    async def run(self, pool: Pool) -> None:
        """Ship every ``interval``; wait longer while PostgreSQL does not answer."""
        backoff = BACKOFF_FIRST
        while True:
            try:
                await self.ship_all(pool)
            except Exception as error:
                # Whatever it is (away, slow, not migrated yet): the segments keep the rows.
                logger.warning("attempts wait in %s: %r", self._segments.name, error)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, BACKOFF_LIMIT)
                continue
            backoff = BACKOFF_FIRST
            await asyncio.sleep(self._interval)

    async def ship_all(self, pool: Pool) -> None:
        """Everything that is in the segments now; then the watermark rises to its beginning."""
        async with self._busy:
            reached, end, current = self._clock.now(), self._segments.end, self._segments.name
            for name in self._segments.waiting():
                until = end if name == current else self._segments.size(name)
                await self._ship_segment(pool, name, until)
                # Not by the name that is current by now: rows came to this one since ``end``.
                if name != current:
                    self._segments.drop(name)
                    self._offsets.pop(name, None)
                    await store.forget_segment(pool, self._gateway, name)
                if name == current:
                    break
            self.watermark = reached

    async def _ship_segment(self, pool: Pool, name: str, until: int) -> None:
        offset = await self._offset(pool, name)
        while offset < until:
            entries, after = self._segments.read(name, offset, self._batch_rows)
            if after == offset:
                # Only a torn tail is left: it was never acknowledged.
                break
            await self._ship(pool, name, after, entries)
            offset = self._offsets[name] = after

    async def _offset(self, pool: Pool, name: str) -> int:
        """Where to go on: known here, else asked once (a segment that another process left)."""
        if name not in self._offsets:
            known = 0
            if name != self._segments.name:
                async with asyncio.timeout(TIMEOUT):
                    known = await store.shipped_offset(pool, self._gateway, name)
            self._offsets[name] = known
        return self._offsets[name]

    async def _ship(self, pool: Pool, name: str, offset: int, entries: Sequence[Entry]) -> None:
        try:
            await self._send(pool, name, offset, entries)
        except POISON:
            # One row that PostgreSQL cannot hold must not stop the others for ever.
            for entry in entries:
                try:
                    await self._send(pool, name, entry.end, [entry])
                except POISON as error:
                    logger.error("row of %s refused: %r", entry.row.request_id, error)
                    self._segments.reject(entry.row)
                    await self._send(pool, name, entry.end, [])
            await self._send(pool, name, offset, [])

    async def _send(self, pool: Pool, name: str, offset: int, entries: Sequence[Entry]) -> None:
        rows = [entry.row for entry in entries]
        async with asyncio.timeout(TIMEOUT):
            await store.ship(
                pool,
                gateway=self._gateway,
                segment=name,
                offset=offset,
                attempts=[row for row in rows if isinstance(row, Attempt)],
                overdue=[row for row in rows if isinstance(row, Overdue)],
            )
        if name not in self._left:
            self.shipped += len(rows)
