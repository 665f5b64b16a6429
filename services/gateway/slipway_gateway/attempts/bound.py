"""What is given up when PostgreSQL stays away and the segments grow: texts first, rows last.

Over the bound, the oldest segments lose their texts. Only where rows without texts alone take
twice the bound do the oldest of them go, which is counted and told. Works beside the requests, off
the event loop; the segment that is written now is never touched.
"""

from __future__ import annotations

import asyncio
import logging

from slipway_gateway.attempts.segment import Segments
from slipway_gateway.attempts.shipper import Shipper

logger = logging.getLogger(__name__)

PERIOD = 1.0


class Bound:
    """``stripped`` counts rows that lost their texts, ``dropped`` rows that are gone."""

    def __init__(self, segments: Segments, shipper: Shipper, limit: int) -> None:
        self._segments = segments
        self._shipper = shipper
        self._limit = limit
        self.stripped = 0
        self.dropped = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.keep()
            except OSError as error:
                # A full disk, most likely: there is nothing to write the smaller segment to.
                logger.error("segments cannot be made smaller: %s", error)
            await asyncio.sleep(PERIOD)

    async def keep(self) -> None:
        """Bring the slot's folder under the bound, as far as that can be. Raises OSError."""
        segments = self._segments
        for name in segments.with_texts():
            if segments.size() <= self._limit:
                return
            rows = await segments.strip(name, self._shipper.shipped_of(name))
            self.stripped += rows
            logger.warning(
                "the attempts log is over its bound of %d bytes: %d rows of %s lost their texts",
                *(self._limit, rows, name),
            )
        for name in segments.waiting()[:-1]:
            if segments.size() <= 2 * self._limit:
                return
            rows = await asyncio.to_thread(
                segments.rows_after, name, self._shipper.shipped_of(name)
            )
            segments.drop(name)
            self._shipper.forget(name, rows)
            self.dropped += rows
            logger.error(
                "the attempts log is at twice its bound of %d bytes: %d rows of %s are LOST; "
                "bring PostgreSQL back, or raise SLIPWAY_GATEWAY_SEGMENTS_LIMIT",
                *(self._limit, rows, name),
            )
