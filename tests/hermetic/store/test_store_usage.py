"""Usage: each stored row counted once, however it was stored, folded and read meanwhile."""

from __future__ import annotations

import asyncio
import random
from datetime import date

import pytest
from attempt_rows import T0, attempt

from slipway_contracts.attempt import CACHED
from slipway_store.attempts import insert, ship
from slipway_store.connect import Pool
from slipway_store.feedback import judge_answer
from slipway_store.usage import Usage, fold, read_usage, set_gpus

DAY = T0.date()
TOKENS = {"prompt_tokens": 10, "completion_tokens": 5}


async def lines(pool: Pool, **more: str) -> list[Usage]:
    return await read_usage(pool, first=DAY, last=DAY, **more)


async def test_rows_are_summed_by_who_and_what(pool: Pool) -> None:
    rows = [
        attempt(1, tenant="acme", key_id="k1", **TOKENS),
        attempt(2, tenant="acme", key_id="k1", request_id="again", error=True, status=502),
        attempt(3, tenant="acme", key_id="k1", request_id="again", attempt=2, **TOKENS),
        attempt(4, tenant="acme", key_id="k1", shadow=True, **TOKENS),
        attempt(5, tenant="other", key_id="k2", model_name="big", **TOKENS),
    ]
    await ship(pool, gateway="g", segment="s", offset=10, attempts=rows)
    acme, other = await lines(pool)
    assert (acme.tenant, acme.key_id, acme.model, acme.version) == ("acme", "k1", "tiny", "v2")
    assert (acme.requests, acme.attempts, acme.errors) == (2, 3, 1)
    assert (acme.prompt_tokens, acme.completion_tokens) == (20, 10)
    assert (other.requests, other.gpu_seconds) == (1, None)
    assert await lines(pool, tenant="other") == [other] == await lines(pool, model="big")
    assert await read_usage(pool, first=date(2020, 1, 1), last=date(2020, 1, 2)) == []
    assert await fold(pool)
    assert await lines(pool) == [acme, other]
    assert await pool.fetchval("SELECT count(*) FROM usage_deltas") == 0


async def test_an_answer_from_the_cache_is_a_request_and_no_attempt(pool: Pool) -> None:
    rows = [
        attempt(1, tenant="acme", key_id="k1", **TOKENS),
        attempt(2, tenant="acme", key_id="k1", attempt=CACHED),
    ]
    await ship(pool, gateway="g", segment="s", offset=10, attempts=rows)
    for _ in range(2):
        (line,) = await lines(pool)
        assert (line.requests, line.cached, line.attempts) == (2, 1, 1)
        assert (line.prompt_tokens, line.completion_tokens) == (10, 5)
        await fold(pool)
    assert await judge_answer(pool, request_id=rows[1].request_id, tenant="acme", thumbs_down=True)


async def test_overlapping_and_repeated_batches_count_once(pool: Pool) -> None:
    rows = [attempt(n, tenant="acme", **TOKENS) for n in range(30)]
    order = random.Random(5)
    offset = 0
    while offset < 30:
        end = min(30, offset + order.randint(1, 10))
        first = max(0, offset - order.randint(0, 5))
        for _ in range(order.randint(1, 2)):
            await ship(pool, gateway="g", segment="s", offset=end, attempts=rows[first:end])
        offset = end
        if order.random() < 0.4:
            await fold(pool)
    await insert(pool, rows[3])
    (line,) = await lines(pool)
    assert (line.requests, line.prompt_tokens) == (30, 300)


async def test_a_batch_that_fails_counts_nothing(pool: Pool) -> None:
    good, bad = attempt(1, tenant="acme"), attempt(2, tenant=None)
    with pytest.raises(Exception, match="null value"):
        await ship(pool, gateway="g", segment="s", offset=10, attempts=[good, bad])
    assert await lines(pool) == []


async def test_readers_see_everything_once_while_it_is_folded(pool: Pool) -> None:
    done = asyncio.Event()
    shipped = 0

    async def write() -> None:
        nonlocal shipped
        for number in range(60):
            await ship(
                pool, gateway="g", segment="s", offset=number + 1, attempts=[attempt(number)]
            )
            shipped += 1
        done.set()

    async def fold_on() -> None:
        while not done.is_set():
            await fold(pool)

    async def read_on() -> None:
        while not done.is_set():
            before = shipped
            seen = sum(line.requests for line in await lines(pool))
            assert before <= seen <= shipped + 1

    await asyncio.gather(write(), fold_on(), fold_on(), read_on())
    assert sum(line.requests for line in await lines(pool)) == 60


async def test_gpu_seconds_are_shared_by_tokens(pool: Pool) -> None:
    await set_gpus(pool, "tiny", {"v2": 4, "v3": 1})
    today = await pool.fetchval("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date")
    now = await pool.fetchval("SELECT clock_timestamp()")
    rows = [
        attempt(1, timestamp=now, tenant="a", prompt_tokens=30, completion_tokens=0),
        attempt(2, timestamp=now, tenant="b", prompt_tokens=5, completion_tokens=5),
        attempt(3, timestamp=now, tenant="b", version="v9", prompt_tokens=5),
    ]
    await ship(pool, gateway="g", segment="s", offset=10, attempts=rows)
    await pool.execute("UPDATE version_gpus SET counted_at = counted_at - interval '100 s'")
    await fold(pool)
    a, b, unknown = await read_usage(pool, first=today, last=today)
    assert a.gpu_seconds is not None
    assert b.gpu_seconds is not None
    assert 300 <= a.gpu_seconds < 330
    assert a.gpu_seconds == pytest.approx(3 * b.gpu_seconds)
    # One tenant's share is that of all tenants' tokens, whoever asks.
    (only,) = await read_usage(pool, first=today, last=today, tenant="a")
    assert only.gpu_seconds == pytest.approx(a.gpu_seconds)
    assert (unknown.version, unknown.gpu_seconds) == ("v9", None)
    await set_gpus(pool, "tiny", {"v3": 2})
    held = await pool.fetch("SELECT version, gpus FROM version_gpus")
    assert [tuple(row) for row in held] == [("v3", 2)]
    before = await pool.fetchval("SELECT seconds FROM gpu_daily WHERE version = 'v2'")
    await fold(pool)
    assert await pool.fetchval("SELECT seconds FROM gpu_daily WHERE version = 'v2'") == before


async def test_only_ones_own_answers_are_judged(pool: Pool) -> None:
    rows = [
        attempt(1, tenant="a", request_id="mine"),
        attempt(2, tenant="a", request_id="mine", attempt=2),
        attempt(3, tenant="a", request_id="both"),
        attempt(4, tenant="b", request_id="both"),
    ]
    await ship(pool, gateway="g", segment="s", offset=10, attempts=rows)

    async def judge(request_id: str, tenant: str, *, down: bool = True) -> bool:
        return await judge_answer(pool, request_id=request_id, tenant=tenant, thumbs_down=down)

    assert await judge("mine", "a")
    assert await judge("mine", "a", down=False)
    assert not await judge("mine", "b")
    assert not await judge("mine", "")
    assert not await judge("both", "a")
    assert not await judge("none", "a")
    stored = await pool.fetch("SELECT request_id, thumbs_down FROM feedback")
    assert [tuple(row) for row in stored] == [("mine", False)]
