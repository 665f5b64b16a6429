"""Whether PostgreSQL answers: asked every few seconds, also while nothing else asks it.

On a connection of its own, so that a busy pool is not taken for a dead server. Gates nothing: it is
for people and alerts.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import asyncpg

from slipway_store.connect import open_pool
from slipway_store.errors import UNAVAILABLE

PERIOD = 5.0
TIMEOUT = 3.0
SILENCE = 2 * PERIOD + TIMEOUT


class Database:
    """``run`` until cancelled."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._answered = float("-inf")

    @property
    def answers(self) -> bool:
        """It did, a moment ago."""
        return time.monotonic() - self._answered <= SILENCE

    async def run(self) -> None:
        """Ask for ever."""
        pool = await open_pool(self._dsn, min_size=0, max_size=1, cleaned=False)
        try:
            while True:
                with suppress(*UNAVAILABLE, asyncpg.PostgresError, TimeoutError):
                    async with asyncio.timeout(TIMEOUT):
                        await pool.fetchval("SELECT 1")
                    self._answered = time.monotonic()
                await asyncio.sleep(PERIOD)
        finally:
            pool.terminate()
