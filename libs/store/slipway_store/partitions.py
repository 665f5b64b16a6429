"""Day partitions of the attempts log: made ahead, and dropped when they are old.

Making and dropping one needs a moment alone with ``request_logs``. Nobody may wait behind us for
that, so we give up the place in the queue soon and try again. Rows that a running rollout counts
stay, however old. One process at a time sweeps.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from asyncpg import LockNotAvailableError

from slipway_store.connect import Connection, Pool

logger = logging.getLogger(__name__)

# A step may last days; a row that it counts must not go meanwhile.
MIN_DAYS = 2
# Offsets are tiny; their gateway may come back with its volume.
OFFSET_DAYS = 30
_PARTITION_LOCK = 0x51_1B_0A_72
_SWEEP_LOCK = 0x51_1B_0A_73
_LOCK_TIMEOUT = "200ms"
_TRIES = 25
_PAUSE = 0.2
_ROWS_AT_ONCE = 5000
_PREFIX = "request_logs_"

# Where a candidate gets traffic, its evidence is kept from a day before its first judgement on.
_CUTOFF = """SELECT least(now() - make_interval(days => $1), (
    SELECT min(m.at) - interval '1 day' FROM routes AS r JOIN measurements AS m
        ON m.model = r.model AND m.version IN (
            SELECT r.body -> 'guard' ->> 'candidate'
            UNION SELECT r.body -> 'shadow' ->> 'version'
            UNION SELECT b ->> 'version' FROM jsonb_array_elements(r.body -> 'backends') AS b
                WHERE b ->> 'role' = 'candidate')))"""
_OLD_OFFSETS = """DELETE FROM log_offsets WHERE at < now() - make_interval(days => $1)
    AND gateway NOT IN (SELECT gateway FROM gateways WHERE at > now() - interval '1 day')"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep took away: partitions by name, single rows and offsets by number."""

    partitions: tuple[str, ...] = ()
    rows: int = 0
    offsets: int = 0


async def ensure_partitions(pool: Pool, *, days: int = 2) -> None:
    """Make the day partitions from today on. Call at start and daily; idempotent, any process.

    Raises LockNotAvailableError where the log is never free for a moment.
    """
    async with pool.acquire() as connection:
        await _alone(connection, "SELECT ensure_log_partitions($1)", days)


async def sweep(pool: Pool, *, days: int) -> Swept | None:
    """Take away what is older than ``days`` (at least 2; 0: keep rows for ever).

    None when another process is at it. Repeatable after an error in the middle.
    """
    async with pool.acquire() as connection:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _SWEEP_LOCK):
            return None
        try:
            dropped, rows = await _sweep_rows(connection, max(days, MIN_DAYS)) if days else ((), 0)
            offsets = await connection.execute(_OLD_OFFSETS, max(days, OFFSET_DAYS))
        finally:
            if not connection.is_closed():
                await connection.execute("SELECT pg_advisory_unlock($1)", _SWEEP_LOCK)
    return Swept(partitions=dropped, rows=rows, offsets=_number(offsets))


async def _sweep_rows(connection: Connection, days: int) -> tuple[tuple[str, ...], int]:
    cutoff = await connection.fetchval(_CUTOFF, days)
    dropped = []
    for name in await _old_partitions(connection, cutoff):
        try:
            await _alone(connection, f'DROP TABLE "{name}"')
        except LockNotAvailableError:
            logger.warning("partition %s is in use all the time, it goes next time", name)
        else:
            dropped.append(name)
    rows = 0
    for table, column in (
        ("request_logs_default", "timestamp"),
        ("overdue_events", "timestamp"),
        ("feedback", "at"),
    ):
        rows += await _delete(connection, table, column, cutoff)
    return tuple(dropped), rows


async def _old_partitions(connection: Connection, cutoff: datetime) -> list[str]:
    """Partitions whose whole day is before the cutoff."""
    found = await connection.fetch(
        """SELECT c.relname AS name FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'request_logs'::regclass ORDER BY 1"""
    )
    return [
        row["name"]
        for row in found
        if (day := _day_of(row["name"])) and day + timedelta(days=1) <= cutoff.date()
    ]


def _day_of(partition: str) -> date | None:
    try:
        return datetime.strptime(partition, _PREFIX + "%Y%m%d").date()
    except ValueError:
        return None


async def _delete(connection: Connection, table: str, column: str, cutoff: datetime) -> int:
    """In small transactions, with a pause: shipping goes first."""
    total = 0
    while True:
        done = await connection.execute(
            f"""DELETE FROM {table} WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM {table} WHERE "{column}" < $1 LIMIT {_ROWS_AT_ONCE}))""",
            cutoff,
        )
        total += _number(done)
        if _number(done) < _ROWS_AT_ONCE:
            return total
        await asyncio.sleep(_PAUSE)


async def _alone(connection: Connection, sql: str, *arguments: int) -> None:
    """Run what needs an exclusive lock on the log, without making anybody wait long."""
    for left in reversed(range(_TRIES)):
        try:
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", _PARTITION_LOCK)
                await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
                await connection.execute(sql, *arguments)
            return
        except LockNotAvailableError:
            if not left:
                raise
        await asyncio.sleep(_PAUSE)


def _number(status: str) -> int:
    return int(status.rsplit(" ", 1)[1])
