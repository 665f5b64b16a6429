"""Keeps the log's partitions: those of the next days are there, those of long ago are gone.

Every gateway does it, whoever comes first; beside the shipping, never in its way.
"""

from __future__ import annotations

import asyncio
import logging

from slipway_store.connect import Pool
from slipway_store.ending import end_if_cancelled
from slipway_store.partitions import ensure_partitions, sweep

logger = logging.getLogger(__name__)

PERIOD = 3600.0
RETRY = 10.0


async def tend_forever(pool: Pool, retention_days: int) -> None:
    """Until cancelled."""
    while True:
        try:
            await ensure_partitions(pool)
            swept = await sweep(pool, days=retention_days)
        except Exception as error:
            end_if_cancelled()
            # Away, not migrated yet, or busy: rows go to the default partition meanwhile.
            logger.warning("the log's partitions are not tended: %r", error)
            await asyncio.sleep(RETRY)
            continue
        if swept is not None and (swept.partitions or swept.rows or swept.offsets):
            logger.info(
                "retention: %d partitions, %d rows and %d offsets are gone",
                *(len(swept.partitions), swept.rows, swept.offsets),
            )
        await asyncio.sleep(PERIOD)
