"""Partitions and retention: what is old goes, what still counts stays, and nobody waits for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from asyncpg import LockNotAvailableError
from attempt_rows import attempt, overdue
from votes import record_feedback

from slipway_contracts.route import BackendRoute, GuardRoute, ModelRoute
from slipway_store import measurements, partitions, tuples
from slipway_store.attempts import copy, ship, shipped_offset
from slipway_store.connect import Pool
from slipway_store.migrate import load_migrations, migrate, migrate_down
from slipway_store.partitions import Swept, ensure_partitions, sweep
from slipway_store.routes import write_route

NOW = datetime.now(UTC)


async def log(pool: Pool, *ages: float, segment: str = "s") -> None:
    """One row for each age in days, in a partition of its day, and all that belongs to it."""
    for age in ages:
        day = (NOW - timedelta(days=age)).date()
        await pool.execute(
            f"CREATE TABLE IF NOT EXISTS request_logs_{day:%Y%m%d} PARTITION OF request_logs "
            f"FOR VALUES FROM ('{day} 00:00+00') TO ('{day + timedelta(days=1)} 00:00+00')"
        )
    at = [NOW - timedelta(days=age) for age in ages]
    rows = [replace(attempt(1), timestamp=when, started_at=when) for when in at]
    late = [replace(overdue(1), timestamp=when, started_at=when) for when in at]
    await ship(pool, gateway="g", segment=segment, offset=1, attempts=rows, overdue=late)
    for row, when in zip(rows, at, strict=True):
        await record_feedback(pool, request_id=row.request_id, thumbs_down=True)
        await pool.execute(
            "UPDATE feedback SET at = $2 WHERE request_id = $1", row.request_id, when
        )


async def ages(pool: Pool, table: str, column: str = "timestamp") -> list[int]:
    found = await pool.fetch(f'SELECT "{column}" AS at FROM {table} ORDER BY 1 DESC')
    return [round((NOW - row["at"]) / timedelta(days=1)) for row in found]


async def test_what_is_old_goes_with_everything_that_belongs_to_it(pool: Pool) -> None:
    await ensure_partitions(pool)
    await log(pool, 0, 5, 29, 32, 400)
    # Rows for which nobody had made a partition.
    lost = replace(attempt(1), timestamp=NOW - timedelta(days=50))
    kept = replace(attempt(1), timestamp=NOW - timedelta(days=10))
    await ship(pool, gateway="g", segment="t", offset=1, attempts=[lost, kept])
    swept = await sweep(pool, days=30)
    assert swept is not None
    assert len(swept.partitions) == 2
    assert swept.rows == 1 + 2 + 2
    assert await ages(pool, "request_logs") == [0, 5, 10, 29]
    assert await ages(pool, "overdue_events") == [0, 5, 29]
    assert await ages(pool, "feedback", "at") == [0, 5, 29]
    assert await sweep(pool, days=30) == Swept()


async def test_for_ever_and_never_less_than_two_days(pool: Pool) -> None:
    await log(pool, 0, 1, 4, 4000)
    assert await sweep(pool, days=0) == Swept()
    assert len(await ages(pool, "request_logs")) == 4
    await sweep(pool, days=1)
    assert await ages(pool, "request_logs") == [0, 1]


async def test_rows_that_a_running_rollout_counts_stay(pool: Pool) -> None:
    await log(pool, 0, 40, 60)
    stable = BackendRoute(version="v1", weight=90, url="http://s")
    candidate = BackendRoute(version="v2", weight=10, url="http://c", role="candidate")
    guard = GuardRoute(candidate="v2", stable="v1", rollout_id="r")
    running = ModelRoute(model="m", salt="s", backends=(candidate, stable), guard=guard)
    await write_route(pool, running)
    for version, age in (("v2", 45), ("v1", 70)):
        await measurements.record(
            pool, model="m", version=version, attempt="a", step=0,
            at=NOW - timedelta(days=age), verdict="Pass", body={},
        )  # fmt: skip
    await sweep(pool, days=30)
    assert await ages(pool, "request_logs") == [0, 40]
    alone = stable.model_copy(update={"weight": 100})
    await write_route(pool, ModelRoute(model="m", salt="s", backends=(alone,)))
    await sweep(pool, days=30)
    assert await ages(pool, "request_logs") == [0]


async def test_offsets_of_gateways_that_are_gone(pool: Pool) -> None:
    await log(pool, 0)
    await ship(pool, gateway="alive", segment="s", offset=1, attempts=[])
    await ship(pool, gateway="recent", segment="s", offset=1, attempts=[])
    await pool.execute("ALTER TABLE log_offsets DISABLE TRIGGER log_offsets_dated")
    await pool.execute("UPDATE log_offsets SET at = at - interval '40 d' WHERE gateway <> 'recent'")
    await pool.execute("ALTER TABLE log_offsets ENABLE TRIGGER log_offsets_dated")
    await pool.execute("INSERT INTO gateways VALUES ('alive', 1, now(), now(), '{}')")
    assert await sweep(pool, days=0) == Swept(offsets=1)
    assert await shipped_offset(pool, "g", "s") == 0
    assert await shipped_offset(pool, "alive", "s") == 1
    # A segment that goes on is not old.
    await ship(pool, gateway="alive", segment="s", offset=2, attempts=[])
    age = await pool.fetchval("SELECT now() - at FROM log_offsets WHERE gateway = 'alive'")
    assert age < timedelta(days=1)


async def test_one_at_a_time(pool: Pool) -> None:
    async with pool.acquire() as other:
        await other.execute("SELECT pg_advisory_lock($1)", partitions._SWEEP_LOCK)
        assert await sweep(pool, days=30) is None
    assert await sweep(pool, days=30) == Swept()


async def test_nobody_waits_behind_a_sweep_that_waits(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log(pool, 0, 40)
    monkeypatch.setattr(partitions, "_TRIES", 2)
    async with pool.acquire() as reader, reader.transaction():
        await reader.execute("SELECT count(*) FROM request_logs")
        swept = asyncio.create_task(sweep(pool, days=30))
        await ship(pool, gateway="h", segment="s", offset=1, attempts=[attempt(1)])
        assert await swept == Swept(rows=2)
        with pytest.raises(LockNotAvailableError):
            await ensure_partitions(pool)
    await ensure_partitions(pool)
    swept_now = await sweep(pool, days=30)
    assert swept_now is not None
    assert len(swept_now.partitions) == 1


async def test_the_step_back_keeps_the_offsets(pool: Pool, dsn: str) -> None:
    await ship(pool, gateway="g", segment="s", offset=7, attempts=[attempt(1)])
    await migrate_down(dsn, to=1)
    await pool.expire_connections()
    assert await shipped_offset(pool, "g", "s") == 7
    row = tuples.encode(attempt(1))
    assert (
        await copy(
            pool,
            gateway="g",
            segment="s",
            start=7,
            end=8,
            attempts=[row],
            columns=tuples.COLUMNS,
        )
        == 8
    )
    assert await migrate(dsn) == len(load_migrations())
    await pool.expire_connections()
    assert await sweep(pool, days=30) is not None
    assert await shipped_offset(pool, "g", "s") == 8
