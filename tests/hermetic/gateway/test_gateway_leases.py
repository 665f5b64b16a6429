"""Limits that gateways share through PostgreSQL: several in one process, each with its own lease.

No HTTP here, so that thousands of requests take a moment; ``test_gateway_tenants`` has processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from gateway_process import eventually, fresh_minute
from postgres_proxy import PostgresProxy

from slipway_gateway.errors import NoCapacity, RateLimited
from slipway_gateway.tenants.caller import Caller
from slipway_gateway.tenants.leases import Leases
from slipway_gateway.tenants.limits import Lease, Limits
from slipway_store.connect import Pool, open_pool
from slipway_store.quotas import LimitRules

CALLER = Caller(identity="key:k", key_id="k", tenant="acme")


@dataclass
class Replica:
    """One gateway's limits and their background task."""

    limits: Limits
    leases: Leases
    task: asyncio.Task[None]
    admitted: int = 0
    refused: int = 0

    def enter(self) -> Lease | None:
        try:
            lease = self.limits.enter(CALLER, "demo", time.monotonic())
        except RateLimited as error:
            assert error.retry_after is not None and error.retry_after >= 1
            self.refused += 1
            return None
        self.admitted += 1
        return lease


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    opened = await open_pool(dsn, max_size=8)
    yield opened
    opened.terminate()


@asynccontextmanager
async def fleet(pool: Pool, count: int, *, alive: int | None = None, **rules: int):
    """``count`` replicas with the same limits, whose heartbeats are there."""
    replicas: list[Replica] = []
    for number in range(count if alive is None else alive):
        await pool.execute(
            """INSERT INTO gateways (gateway, revision, watermark, at)
            VALUES ($1, 0, now(), clock_timestamp() + interval '1 hour')""",
            f"g{number}",
        )
    for number in range(count):
        limits = Limits()
        leases = Leases(limits, lambda: pool, gateway=f"g{number}")
        replicas.append(Replica(limits, leases, asyncio.create_task(leases.run())))
    for replica in replicas:
        replica.limits.replace(keys={"k": LimitRules(**rules)}, tenants={})
    await eventually(
        lambda: all(r.limits.world.peers == len(replicas) for r in replicas), what="the sight"
    )
    try:
        yield replicas
    finally:
        for replica in replicas:
            replica.task.cancel()
        await asyncio.gather(*(r.task for r in replicas), return_exceptions=True)


async def offer(replicas: list[Replica], total: int, *, pause: float, burst: int = 1) -> None:
    """Requests to each in turn, ``burst`` at once, with one token each."""
    for number in range(0, total, burst):
        replica = replicas[number // burst % len(replicas)]
        for _ in range(burst):
            lease = replica.enter()
            if lease is not None:
                lease.settle(1, 0)
        await asyncio.sleep(pause)


@pytest.mark.parametrize(
    ("count", "burst", "pause"),
    [(2, 1, 0.001), (2, 100, 0.02), (4, 7, 0.005), (1, 50, 0.001)],
    ids=["two", "two in bursts", "four", "alone"],
)
async def test_a_limit_is_one_for_all(pool: Pool, count: int, burst: int, pause: float) -> None:
    async with fleet(pool, count, requests_per_minute=1000) as replicas:
        await fresh_minute(pool, seconds=25)
        await offer(replicas, 3000, pause=pause, burst=burst)
        admitted = sum(replica.admitted for replica in replicas)
        print(f"{count} replicas: {admitted} of 3000 admitted at a limit of 1000")
        assert 950 <= admitted <= 1010


async def test_a_small_limit_of_one_gateway_is_exact(pool: Pool) -> None:
    async with fleet(pool, 1, requests_per_minute=5) as (only,):
        await fresh_minute(pool, seconds=10)
        for _ in range(8):
            only.enter()
        assert (only.admitted, only.refused) == (5, 3)


async def test_what_an_idle_gateway_holds_comes_to_the_busy_one(pool: Pool) -> None:
    async with fleet(pool, 2, requests_per_minute=100) as (idle, busy):
        await fresh_minute(pool, seconds=25)
        idle.enter()

        async def all_used() -> bool:
            busy.enter()
            return busy.admitted >= 98

        await eventually(all_used, seconds=20, what="the other's share")
        assert idle.admitted + busy.admitted <= 101


async def test_tokens_are_counted_when_the_answer_ends(pool: Pool) -> None:
    async with fleet(pool, 2, tokens_per_minute=100_000, tokens_per_day=10**6) as replicas:
        await fresh_minute(pool, seconds=25)
        used = 0
        for number in range(3000):
            lease = replicas[number % 2].enter()
            if lease is not None:
                lease.settle(60, 40)
                used += 100
            await asyncio.sleep(0.001)
        print(f"{used} tokens of 300,000 at a limit of 100,000")
        assert 95_000 <= used <= 101_000


async def test_open_requests_of_all_gateways_together(pool: Pool) -> None:
    async with fleet(pool, 2, concurrency=100) as replicas:
        held: list[Lease] = []
        for number in range(600):
            lease = replicas[number % 2].enter()
            if lease is not None:
                held.append(lease)
            await asyncio.sleep(0.002)
        print(f"{len(held)} open at a limit of 100")
        assert 95 <= len(held) <= 101
        for lease in held:
            lease.settle(1, 1)

        async def again() -> bool:
            lease = replicas[0].enter()
            if lease is not None:
                lease.settle(None, None)
            return lease is not None

        await eventually(again, what="a free slot")


async def test_slots_of_a_dead_gateway_come_back(pool: Pool) -> None:
    async with fleet(pool, 2, concurrency=10) as (dead, living):
        for _ in range(3):
            dead.enter()
            await asyncio.sleep(0.05)

        async def is_leased() -> bool:
            held = await pool.fetchval("SELECT held FROM quota_leases WHERE gateway = 'g0'")
            return (held or 0) >= 3

        await eventually(is_leased, what="the lease")
        dead.task.cancel()
        await asyncio.gather(dead.task, return_exceptions=True)
        await pool.execute(
            "UPDATE quota_leases SET expires_at = clock_timestamp() WHERE gateway = 'g0'"
        )
        held = []

        async def all_ten() -> bool:
            lease = living.enter()
            if lease is not None:
                held.append(lease)
            return len(held) >= 10

        await eventually(all_ten, seconds=20, what="the dead one's slots")
        assert len(held) == 10


async def test_at_exit_everything_goes_back(pool: Pool) -> None:
    async with fleet(pool, 2, requests_per_minute=1000, tokens_per_day=10_000) as (one, _):
        await fresh_minute(pool, seconds=10)
        for _ in range(20):
            lease = one.enter()
            assert lease is not None
            lease.settle(5, 5)
            await asyncio.sleep(0.01)
        one.task.cancel()
        await asyncio.gather(one.task, return_exceptions=True)
        await one.leases.leave()
        used = dict(await pool.fetch("SELECT quota, used FROM quota_windows WHERE used > 0"))
        assert used == {"requests_per_minute": 20, "tokens_per_day": 200}
        assert await pool.fetchval("SELECT count(*) FROM quota_leases") == 0


@pytest.mark.parametrize("policy_open", [True, False], ids=["open", "closed"])
async def test_without_postgresql(pool: Pool, policy_open: bool) -> None:
    async with fleet(pool, 2, requests_per_minute=100) as (one, _):
        one.limits.world.open_when_away = policy_open
        await fresh_minute(pool, seconds=20)
        one.enter()
        await pool.close()
        await eventually(lambda: one.limits.world.away, what="the outage noticed")
        with contextlib.suppress(NoCapacity):
            for _ in range(200):
                one.enter()
        # Its share is half; closed, only what it could still be sure of.
        assert one.admitted == 50 if policy_open else one.admitted < 50
        if not policy_open:
            with pytest.raises(NoCapacity, match="cannot be checked"):
                one.limits.enter(CALLER, "demo", time.monotonic())


async def test_without_limits_postgresql_is_not_asked(pool: Pool) -> None:
    asked: list[int] = []

    def pool_of() -> Pool:
        asked.append(1)
        return pool

    limits = Limits()
    task = asyncio.create_task(Leases(limits, pool_of, gateway="g").run())
    limits.replace(keys={"k": LimitRules()}, tenants={})
    for _ in range(100):
        limits.enter(CALLER, "demo", time.monotonic()).settle(1, 1)
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert asked == []


async def test_a_frozen_postgresql_is_noticed_and_left(pool: Pool, dsn: str) -> None:
    """Frozen, not gone: connections stay open and nothing answers."""
    async with PostgresProxy(dsn) as proxy:
        through = await open_pool(proxy.dsn, max_size=4)
        async with fleet(through, 2, requests_per_minute=1000) as (one, _):
            await fresh_minute(pool, seconds=25)
            one.enter()
            proxy.freeze()
            began = time.monotonic()
            await eventually(lambda: one.limits.world.away, what="the outage noticed")
            print(f"noticed after {time.monotonic() - began:.1f} s")
            for _ in range(600):
                one.enter()
            assert one.admitted == 500
            await proxy.restore()
            await eventually(lambda: not one.limits.world.away, what="the end of the outage")

            async def charged() -> bool:
                return bool(await pool.fetchval("SELECT max(used) >= 500 FROM quota_windows"))

            await eventually(charged, what="what was spent meanwhile")
        through.terminate()
