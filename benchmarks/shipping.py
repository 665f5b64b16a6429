"""The shipper's share of the gateway's CPU time, told from the rest though it is one process.

``held`` takes a lock of PostgreSQL that the shipper's transaction waits for, sends one request, and
goes on when the shipper stands before the lock: it then reads, encodes and sends nothing until the
lock goes. CPU time up to there is the gateway's with its log appended and synced but not shipped;
what it uses from there until the last row is stored is the shipper's. Nothing else waits: keys,
leases and routes are other tables, and the lock lets readers pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from slipway_store.connect import Pool

# The shipper gives a batch up after 20 s and would begin another one.
LONGEST_SECONDS = 15


async def rows(pool: Pool) -> int:
    """How many attempts the log holds."""
    return int(await pool.fetchval("SELECT count(*) FROM request_logs"))


async def shipped(pool: Pool, count: int) -> None:
    """Until the log holds that many attempts."""
    for _ in range(600):
        if await rows(pool) >= count:
            return
        await asyncio.sleep(0.05)
    raise RuntimeError(f"the log holds {await rows(pool)} attempts, not {count}: rows are missing")


@asynccontextmanager
async def held(pool: Pool, ask: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Nothing is shipped within. ``ask`` sends the one request whose row the shipper waits with."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE log_offsets, request_logs IN EXCLUSIVE MODE")
        began = await rows(pool)
        await ask()
        await _waits(pool)
        until = asyncio.get_running_loop().time() + LONGEST_SECONDS
        yield
        if asyncio.get_running_loop().time() > until or await rows(pool) != began:
            raise RuntimeError("rows were shipped though the log was held: fewer requests a burst")


async def _waits(pool: Pool) -> None:
    for _ in range(200):
        if await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            return
        await asyncio.sleep(0.05)
    raise RuntimeError("the shipper does not wait for the lock: it ships by other tables now")
