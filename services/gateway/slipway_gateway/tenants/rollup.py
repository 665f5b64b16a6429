"""The background task of the usage table: folds what was shipped into days, now and then.

Nothing is lost or late without it (readers add what is not folded); it keeps the deltas few. One
gateway at a time does it, whichever comes first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from slipway_store.connect import Pool
from slipway_store.ending import end_if_cancelled
from slipway_store.usage import fold

logger = logging.getLogger(__name__)

PERIOD = 15.0
TIMEOUT = 20.0


class Rollup:
    """One per process."""

    def __init__(self, pool: Callable[[], Pool | None]) -> None:
        self._pool = pool

    async def run(self) -> None:
        """Until cancelled. PostgreSQL away: the next time."""
        while True:
            await asyncio.sleep(PERIOD)
            pool = self._pool()
            if pool is None:
                continue
            try:
                async with asyncio.timeout(TIMEOUT):
                    await fold(pool)
            except Exception as error:
                end_if_cancelled()
                logger.warning("usage is folded later: %r", error)
