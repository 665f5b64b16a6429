"""The attempts log as the request path sees it: append a row, and know how much waits.

A row is in the local segment when ``append`` returns, and only then may the answer end. A full
disk must not stop the service: the row is then counted as lost and said so in the process's log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from slipway_contracts.attempt import CACHED, Attempt, Overdue
from slipway_gateway.attempts.clock import RowClock
from slipway_gateway.attempts.segment import Segments

logger = logging.getLogger(__name__)


class AttemptLog:
    """``on_attempt`` sees every attempt after it was appended (metrics, guard); an answer from the
    cache is none."""

    def __init__(self, segments: Segments, clock: RowClock) -> None:
        self.clock = clock
        self.on_attempt: list[Callable[[Attempt], None]] = []
        self.appended = 0
        self.lost = 0
        self._silent_until = float("-inf")
        self._segments = segments

    def append(self, row: Attempt | Overdue) -> None:
        """Write one row. Never raises: an answer must not fail because its row does."""
        try:
            self._segments.append(row)
        except Exception as error:
            self.lost += 1
            self._tell(row, error)
        else:
            self.appended += 1
        if isinstance(row, Attempt) and row.attempt != CACHED:
            for observe in self.on_attempt:
                observe(row)

    def _tell(self, row: Attempt | Overdue, error: Exception) -> None:
        """A full disk loses every row: once a second is enough."""
        now = time.monotonic()
        if now >= self._silent_until:
            self._silent_until = now + 1
            logger.error(
                "row of request %s is lost, %d by now: %r", row.request_id, self.lost, error
            )

    async def sync_forever(self, interval: float) -> None:
        """fsync in a thread, so that a slow disk delays nobody."""
        while True:
            await asyncio.sleep(interval)
            if self._segments.dirty:
                await asyncio.to_thread(self._segments.sync)
