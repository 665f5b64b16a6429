"""Shipping: nothing lost, nothing twice, and no row that could block its segment."""

from __future__ import annotations

import asyncio
import math
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from attempt_rows import attempt, overdue

from slipway_contracts.attempt import Attempt
from slipway_store import tuples
from slipway_store.attempts import (
    copy,
    forget_segment,
    ship,
    shipped_offset,
)
from slipway_store.clean import clean
from slipway_store.connect import Pool
from slipway_store.feedback import judge_answer
from slipway_store.partitions import ensure_partitions


async def rows(pool: Pool) -> int:
    return int(await pool.fetchval("SELECT count(*) FROM request_logs"))


async def test_a_row_comes_back_as_it_was(pool: Pool) -> None:
    sent = attempt(
        1,
        input_text="Привет 🚀",
        output_text="",
        tenant="t",
        key_id="k",
        prompt_tokens=3,
        completion_tokens=0,
        finish_reason="stop",
        message=None,
        schema_invalid=True,
        overdue=True,
        client_gone=True,
        shadow=True,
        routes_revision=2**40,
    )
    await ship(pool, gateway="g", segment="s", offset=1, attempts=[sent])
    (row,) = await pool.fetch("SELECT * FROM request_logs")
    assert Attempt(**dict(row)) == sent


async def test_a_batch_is_stored_once_with_its_offset(pool: Pool) -> None:
    batch = [attempt(n) for n in range(10)]
    late = [overdue(n) for n in range(3)]
    assert await shipped_offset(pool, "g", "s") == 0
    for expected in (True, False, False):
        done = await ship(pool, gateway="g", segment="s", offset=100, attempts=batch, overdue=late)
        assert done is expected
    assert await rows(pool) == 10
    assert await pool.fetchval("SELECT count(*) FROM overdue_events") == 3
    assert await shipped_offset(pool, "g", "s") == 100


async def copied(pool: Pool, batch: list[Attempt], start: int, end: int, **more: Any) -> int:
    data = [tuples.encode(row) for row in batch]
    return await copy(
        pool,
        gateway="g",
        segment="s",
        start=start,
        end=end,
        attempts=data,
        columns=tuples.COLUMNS,
        **more,
    )


async def test_a_tuple_comes_back_as_the_row_was(pool: Pool) -> None:
    sent = [
        attempt(1, input_text="Привет 🚀", output_text="", tenant="t", key_id="k", message="m"),
        attempt(2, prompt_tokens=3, completion_tokens=0, finish_reason="stop", empty=None),
        attempt(3, schema_invalid=True, overdue=True, client_gone=True, shadow=True, error=True),
        attempt(4, routes_revision=2**40, stream=False, ttft_ms=None, token_ms=None, refused=True),
        attempt(5, input_text="x" * 3_000_000, truncated=True),
    ]
    late = [overdue(1), overdue(2)]
    assert await copied(pool, sent, 0, 5, overdue=[*late, late[0]]) == 5
    found = await pool.fetch('SELECT * FROM request_logs ORDER BY "timestamp"')
    assert [Attempt(**dict(row)) for row in found] == sent
    assert await pool.fetchval("SELECT count(*) FROM overdue_events") == 2
    assert [tuples.decode(tuples.COLUMNS, tuples.encode(row)) for row in sent] == sent
    bare = [tuples.without_texts(tuples.encode(row)) for row in sent]
    textless = [replace(row, input_text=None, output_text=None) for row in sent]
    assert [tuples.decode(tuples.COLUMNS, data) for data in bare] == textless


async def test_copied_rows_go_only_where_the_segment_is(pool: Pool) -> None:
    batch = [attempt(n) for n in range(4)]
    assert await copied(pool, batch, 7, 11) == 0  # nothing is known of this segment
    assert await copied(pool, batch[:2], 0, 2) == 2
    assert await copied(pool, batch, 0, 4) == 2  # an answer was lost: go on at 2
    assert await copied(pool, batch[2:], 2, 4) == 4
    assert await copied(pool, batch[2:], 2, 4) == 4
    assert await rows(pool) == 4


async def test_the_same_tuples_copied_at_once_are_stored_once(pool: Pool) -> None:
    batch = [attempt(n) for n in range(50)]
    done = await asyncio.gather(*(copied(pool, batch, 0, 50) for _ in range(4)))
    assert done == [50] * 4
    assert await rows(pool) == 50


async def test_no_tuple_of_a_hostile_row_is_refused(pool: Pool) -> None:
    assert await copied(pool, hostile_rows(), 0, 5) == 5
    await assert_cleaned(pool)


async def test_an_older_offset_is_ignored_whatever_it_brings(pool: Pool) -> None:
    await ship(pool, gateway="g", segment="s", offset=100, attempts=[attempt(1)])
    assert not await ship(pool, gateway="g", segment="s", offset=99, attempts=[attempt(2)])
    assert await rows(pool) == 1
    assert await shipped_offset(pool, "g", "s") == 100


async def test_an_overlapping_batch_adds_only_what_is_new(pool: Pool) -> None:
    batch = [attempt(n) for n in range(10)]
    await ship(pool, gateway="g", segment="s", offset=50, attempts=batch[:5])
    assert await ship(pool, gateway="g", segment="s", offset=100, attempts=batch)
    assert await rows(pool) == 10


async def test_a_row_that_is_there_stays_as_it_is(pool: Pool) -> None:
    first = attempt(1, status=200)
    await ship(pool, gateway="g", segment="s", offset=1, attempts=[first])
    again = replace(first, status=500)
    await ship(pool, gateway="g", segment="t", offset=1, attempts=[again])
    assert await pool.fetchval("SELECT status FROM request_logs") == 200


async def test_segments_and_gateways_are_apart(pool: Pool) -> None:
    for gateway in ("a", "b"):
        for segment in ("1", "2"):
            assert await ship(
                pool, gateway=gateway, segment=segment, offset=7, attempts=[attempt(1)]
            )
    assert await rows(pool) == 4
    await forget_segment(pool, "a", "1")
    assert await shipped_offset(pool, "a", "1") == 0
    assert await shipped_offset(pool, "b", "1") == 7


async def test_the_same_batch_shipped_at_once_is_stored_once(pool: Pool) -> None:
    batch = [attempt(n) for n in range(50)]
    done = await asyncio.gather(
        *(ship(pool, gateway="g", segment="s", offset=9, attempts=batch) for _ in range(4))
    )
    assert sorted(done) == [False, False, False, True]
    assert await rows(pool) == 50


async def test_rows_and_offset_fail_together(pool: Pool) -> None:
    await pool.execute("ALTER TABLE overdue_events ADD CHECK (version <> 'bad')")
    with pytest.raises(asyncpg.CheckViolationError):
        await ship(
            pool,
            gateway="g",
            segment="s",
            offset=10,
            attempts=[attempt(1)],
            overdue=[overdue(1, version="bad")],
        )
    assert await rows(pool) == 0
    assert await shipped_offset(pool, "g", "s") == 0


def hostile_rows() -> list[Attempt]:
    return [
        attempt(1, input_text="a\0b", output_text="\ud800 \udfff", message="\0" * 10),
        attempt(2, prompt_tokens=2**63, completion_tokens=-(2**70), status=10**12),
        attempt(3, ttft_ms=math.nan, token_ms=math.inf, processing_time_ms=-math.inf),
        attempt(4, request_id="x\0y", unit_hash="\ud83d", finish_reason="é\0", tenant="\0"),
        attempt(5, input_text="x" * 3_000_000),
    ]


async def assert_cleaned(pool: Pool) -> None:
    stored = await pool.fetch("SELECT * FROM request_logs ORDER BY timestamp")
    assert stored[0]["input_text"] == "a\ufffdb"
    assert stored[0]["output_text"] == "? ?"
    assert (stored[1]["prompt_tokens"], stored[1]["completion_tokens"]) == (2**31 - 1, 1 - 2**31)
    assert stored[2]["ttft_ms"] is None
    assert stored[2]["token_ms"] is None
    assert stored[2]["processing_time_ms"] == 0.0
    assert (stored[3]["request_id"], stored[3]["tenant"]) == ("x\ufffdy", "\ufffd")
    assert len(stored[4]["input_text"]) == 3_000_000


async def test_nothing_that_a_client_or_an_engine_says_blocks_a_segment(pool: Pool) -> None:
    assert await ship(
        pool,
        gateway="g",
        segment="s",
        offset=10,
        attempts=hostile_rows(),
        overdue=[overdue(1, request_id="x\0y")],
    )
    await assert_cleaned(pool)


@pytest.mark.parametrize("value", [None, True, False, 0, 1.5, "plain", "é", datetime(2030, 1, 1)])
def test_clean_leaves_what_is_clean(value: object) -> None:
    assert clean(value) is value or clean(value) == value
    assert type(clean(value)) is type(value)


async def test_rows_of_today_go_to_their_day_and_others_are_kept_too(pool: Pool) -> None:
    await asyncio.gather(*(ensure_partitions(pool, days=2) for _ in range(4)))
    await ensure_partitions(pool)
    now = datetime.now(UTC)
    today = replace(attempt(1), timestamp=now, started_at=now)
    old = replace(attempt(1), timestamp=now - timedelta(days=400))
    ahead = replace(attempt(1), timestamp=now + timedelta(days=400))
    await ship(pool, gateway="g", segment="s", offset=1, attempts=[today, old, ahead])
    found = await pool.fetch(
        "SELECT tableoid::regclass::text AS part, request_id FROM request_logs"
    )
    parts = {row["request_id"]: row["part"] for row in found}
    assert parts[today.request_id] == f"request_logs_{now:%Y%m%d}"
    assert parts[old.request_id] == parts[ahead.request_id] == "request_logs_default"


async def test_rows_that_came_before_their_partition_do_not_stop_it(pool: Pool) -> None:
    now = datetime.now(UTC)
    early = replace(attempt(1), timestamp=now)
    await ship(pool, gateway="g", segment="s", offset=1, attempts=[early])
    await ensure_partitions(pool, days=2)
    later = replace(attempt(2), timestamp=now + timedelta(days=1))
    await ship(pool, gateway="g", segment="s", offset=2, attempts=[later])
    assert await rows(pool) == 2


async def test_the_last_feedback_counts(pool: Pool) -> None:
    row = replace(attempt(1), tenant="acme", request_id="r\0")
    await ship(pool, gateway="g", segment="s", offset=1, attempts=[row])
    for tenant, known in (("other", False), ("acme", True)):
        for down in (True, False):
            stored = await judge_answer(
                pool, request_id=row.request_id, tenant=tenant, thumbs_down=down
            )
            assert stored is known
    assert [dict(row)["thumbs_down"] for row in await pool.fetch("SELECT * FROM feedback")] == [
        False
    ]


def test_every_column_is_shipped() -> None:
    assert set(asdict(attempt(1))) == set(Attempt.__dataclass_fields__)
