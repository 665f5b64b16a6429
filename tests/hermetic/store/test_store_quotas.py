"""``settle_quotas``: what it grants, books, carries over and takes back from the dead."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from slipway_store.connect import Pool
from slipway_store.quotas import Grant, Quota, Wish, forget_windows, look, settle

REQUESTS, DAY, SLOTS = Quota.REQUESTS_PER_MINUTE, Quota.TOKENS_PER_DAY, Quota.CONCURRENCY


async def gateways(pool: Pool, count: int) -> None:
    for number in range(count):
        await pool.execute(
            """INSERT INTO gateways (gateway, revision, watermark, at)
            VALUES ($1, 0, now(), clock_timestamp() + interval '1 hour')""",
            f"g{number}",
        )


async def ask(pool: Pool, gateway: str = "g0", **fields: Any) -> Grant:
    base: dict[str, Any] = {"scope": "key:k", "quota": REQUESTS, "window": 7, "limit": 100}
    (grant,) = await settle(pool, gateway, [Wish(**base | fields)])
    return grant


async def used(pool: Pool, window: int = 7, quota: Quota = REQUESTS) -> int:
    return int(
        await pool.fetchval(
            "SELECT coalesce(sum(used), 0) FROM quota_windows WHERE window_no = $1 AND quota = $2",
            *(window, quota.value),
        )
    )


async def test_one_alone_gets_what_it_wants(pool: Pool) -> None:
    assert (await ask(pool, want=60)).granted == 60
    last = await ask(pool, want=60)
    assert (last.granted, last.free) == (40, 0)
    assert (await ask(pool, want=60, need=1)).granted == 0


async def test_of_several_each_gets_half_a_share(pool: Pool) -> None:
    await gateways(pool, 2)
    assert [(await ask(pool, want=100)).granted for _ in range(4)] == [25, 19, 14, 11]
    assert (await ask(pool, need=30)).granted == 30
    while (grant := await ask(pool, want=100)).free:
        assert grant.granted >= 1
    assert await used(pool) == 100


async def test_what_is_given_back_is_free_again(pool: Pool) -> None:
    await ask(pool, want=100)
    assert (await ask(pool, charge=-30)).free == 30
    assert (await ask(pool, want=50)).granted == 30


async def test_what_was_spent_over_the_limit_is_taken_off_the_next_window(pool: Pool) -> None:
    await ask(pool, want=90)
    over = await ask(pool, charge=25)
    assert (over.granted, over.free) == (0, 0)
    assert (await used(pool), await used(pool, 8)) == (100, 15)
    assert (await ask(pool, window=8, want=100)).granted == 85
    await ask(pool, window=8, charge=2**40)
    assert await used(pool, 9) == 100


async def test_a_dead_gateways_day_lease_comes_back(pool: Pool) -> None:
    day = {"quota": DAY, "limit": 1000}
    assert (await ask(pool, "dead", want=300, **day)).granted == 300
    assert (await ask(pool, "dead", charge=0, held=100, **day)).free == 700
    assert (await ask(pool, want=900, **day)).granted == 700
    await pool.execute("UPDATE quota_leases SET expires_at = clock_timestamp()")
    # 200 of the 300 were spent; what was held comes back once.
    assert (await ask(pool, held=700, want=900, **day)).granted == 100
    assert (await ask(pool, held=800, want=900, **day)).granted == 0


async def test_slots_follow_what_is_open(pool: Pool) -> None:
    slots = {"quota": SLOTS, "window": 0, "limit": 10}
    assert (await ask(pool, "a", held=4, want=6, **slots)).granted == 6
    full = await ask(pool, "b", held=0, want=9, **slots)
    assert (full.granted, full.free) == (4, 0)
    # What is open is open, also beyond the limit; nobody gets more then.
    assert (await ask(pool, "b", held=6, want=8, **slots)).granted == 6
    assert (await ask(pool, "a", held=4, want=6, need=1, **slots)).granted == 4
    assert (await ask(pool, "a", held=0, want=0, **slots)).free == 4
    assert await pool.fetchval("SELECT count(*) FROM quota_leases") == 1
    await pool.execute("UPDATE quota_leases SET expires_at = clock_timestamp()")
    assert (await ask(pool, "a", held=0, want=10, **slots)).granted == 10


async def test_gateways_that_settle_together_never_grant_more_than_the_limit(pool: Pool) -> None:
    """Many scopes in random orders: no deadlock, and the books hold."""
    await gateways(pool, 4)
    order = random.Random(3)
    got: dict[str, int] = {}

    async def gateway(name: str) -> None:
        for _ in range(30):
            wishes = [
                Wish(scope=f"key:{n}", quota=quota, window=1, limit=200, want=order.randint(1, 20))
                for n in range(5)
                for quota in (REQUESTS, DAY)
            ]
            order.shuffle(wishes)
            for grant in await settle(pool, name, wishes):
                key = f"{grant.scope}/{grant.quota}"
                got[key] = got.get(key, 0) + grant.granted

    await asyncio.gather(*(gateway(f"g{number}") for number in range(4)))
    assert set(got.values()) == {200}


async def test_looking_tells_what_changed_and_who_lives(pool: Pool) -> None:
    empty = await look(pool, seconds=5)
    assert (empty.peers, empty.used) == (1, {})
    await gateways(pool, 3)
    await ask(pool, want=5)
    sight = await look(pool, seconds=5)
    assert sight.peers == 3
    assert sight.used == {("key:k", "requests_per_minute", 7): 5}
    clock = await pool.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
    assert sight.clock == pytest.approx(clock, abs=60)
    await pool.execute("UPDATE quota_windows SET touched = touched - interval '1 minute'")
    assert (await look(pool, seconds=5)).used == {}


async def test_windows_that_are_over_are_forgotten(pool: Pool) -> None:
    await ask(pool, want=5)
    await ask(pool, quota=DAY, want=5)
    await ask(pool, quota=SLOTS, window=0, held=1, want=1)
    await pool.execute("UPDATE quota_windows SET touched = touched - interval '1 hour'")
    await forget_windows(pool)
    left = await pool.fetch("SELECT quota FROM quota_windows ORDER BY 1")
    assert [row["quota"] for row in left] == ["concurrency", "tokens_per_day"]
