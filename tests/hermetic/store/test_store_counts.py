"""Counts of a rollout against a plain reading of VERDICTS.md, row by row, in Python."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pytest
from attempt_rows import T0, TICK0, at, attempt, overdue
from votes import record_feedback

from slipway_contracts.attempt import Attempt, Overdue
from slipway_store.attempts import ship
from slipway_store.connect import Pool
from slipway_store.counts import METRICS, CountRow, StepWindow, rollout_counts

Feedback = dict[str, bool]


async def store(
    pool: Pool, rows: Sequence[Attempt], late: Sequence[Overdue] = (), votes: Feedback | None = None
) -> None:
    await ship(pool, gateway="g", segment="s", offset=1, attempts=rows, overdue=late)
    for request_id, down in (votes or {}).items():
        await record_feedback(pool, request_id=request_id, thumbs_down=down)
    # Votes are given after the answers; here the answers lie in the future.
    await pool.execute("UPDATE feedback SET at = '2031-01-01Z'")


async def counted(
    pool: Pool, steps: Sequence[StepWindow], watermark: datetime, stable: str | None = "v1"
) -> list[CountRow]:
    return await rollout_counts(
        pool, model="tiny", candidate="v2", stable=stable, steps=steps, watermark=watermark
    )


def a_step(start: float = 0, end: float | None = None, index: int = 0) -> StepWindow:
    return StepWindow(
        index=index,
        started_at=at(start),
        ended_at=None if end is None else at(end),
        ttft_ms=100.0,
        token_ms=10.0,
    )


def cells(
    rows: Sequence[CountRow], metric: str
) -> dict[tuple[int, str], tuple[int, int, int, int]]:
    """(tick after T0, arm) → (n, bad, risk_n, risk_bad)."""
    return {
        (row.tick - TICK0, row.arm): (row.n, row.bad, row.risk_n, row.risk_bad)
        for row in rows
        if row.metric == metric
    }


async def test_nothing_logged_is_no_row(pool: Pool) -> None:
    assert await counted(pool, [a_step()], at(100)) == []
    assert await counted(pool, [], at(100)) == []


async def test_both_arms_by_tick(pool: Pool) -> None:
    await store(
        pool,
        [
            attempt(1),
            attempt(2, error=True),
            attempt(3, version="v1"),
            attempt(6, version="v1", error=True),
            attempt(7, version="v9"),
            attempt(7, model_name="other"),
        ],
    )
    rows = await counted(pool, [a_step()], at(100))
    assert cells(rows, "error") == {
        (0, "candidate"): (2, 1, 2, 1),
        (0, "stable"): (1, 0, 1, 0),
        (1, "stable"): (1, 1, 1, 1),
    }


@pytest.mark.parametrize(
    ("end", "counted_in"),
    [
        (-0.000001, None),
        (0.0, 0),
        (4.999999, 0),
        (5.0, 1),
        (9.999999, 1),
        (10.0, None),
        (12.0, None),
    ],
)
async def test_ticks_are_half_open_and_whole(
    pool: Pool, end: float, counted_in: int | None
) -> None:
    """The step begins with a tick; the watermark is in the middle of the third one."""
    await store(pool, [attempt(end, start=0 if end >= 0 else end)])
    found = cells(await counted(pool, [a_step()], at(12.5)), "error")
    assert [tick for tick, _ in found] == ([] if counted_in is None else [counted_in])


@pytest.mark.parametrize(
    ("start", "end", "ticks"),
    [
        (0.0, 15.0, [0, 1, 2]),
        (0.000001, 15.0, [1, 2]),
        (4.999999, 15.0, [1, 2]),
        (0.0, 14.999999, [0, 1]),
        (0.0, 4.999999, []),
        (3.0, 4.0, []),
        (5.0, 5.0, []),
    ],
)
async def test_only_ticks_that_lie_wholly_in_the_step(
    pool: Pool, start: float, end: float, ticks: list[int]
) -> None:
    await store(pool, [attempt(n + 0.5, start=n + 0.4) for n in range(20)])
    found = cells(await counted(pool, [a_step(start, end)], at(100)), "error")
    assert [tick for tick, _ in found] == ticks


async def test_a_tick_is_closed_when_the_watermark_reaches_its_end(pool: Pool) -> None:
    await store(pool, [attempt(1)])
    assert await counted(pool, [a_step()], at(4.999999)) == []
    assert await counted(pool, [a_step()], at(5)) != []


async def test_what_began_before_the_step_does_not_count(pool: Pool) -> None:
    await store(
        pool,
        [attempt(7, start=4.999999), attempt(7, start=5)],
        [overdue(7, start=4.999999), overdue(7, start=5)],
    )
    rows = await counted(pool, [a_step(5)], at(100))
    assert cells(rows, "error") == {(1, "candidate"): (1, 0, 1, 0)}
    assert cells(rows, "slow_start") == {(1, "candidate"): (2, 1, 2, 1)}


async def test_shadow_copies_and_clients_that_left_unanswered_do_not_count(pool: Pool) -> None:
    await store(
        pool,
        [
            attempt(1, shadow=True, error=True),
            attempt(1, client_gone=True, ttft_ms=None, status=499),
            attempt(1, client_gone=True, stream=False, ttft_ms=None, status=499),
            # Said something before the client left: these count.
            attempt(1, client_gone=True),
            attempt(1, client_gone=True, ttft_ms=None, error=True),
            attempt(1, client_gone=True, ttft_ms=None, refused=True),
        ],
    )
    rows = await counted(pool, [a_step()], at(100))
    assert cells(rows, "error") == {(0, "candidate"): (3, 1, 3, 1)}
    assert cells(rows, "refused") == {(0, "candidate"): (3, 1, 3, 1)}


async def test_each_metric_has_its_own_eligibility(pool: Pool) -> None:
    rated = attempt(1)
    failed = attempt(2, error=True, stream=False, empty=None, truncated=None, ttft_ms=None)
    failed = replace(failed, token_ms=None)
    second = attempt(3, request_id=failed.request_id, attempt=2, version="v1")
    await store(
        pool,
        [
            rated,
            failed,
            second,
            attempt(1, refused=True, empty=None, truncated=None, ttft_ms=None, token_ms=None),
            attempt(1, empty=True),
            attempt(1, truncated=True, token_ms=None),
            attempt(1, schema_invalid=False),
            attempt(1, schema_invalid=True),
            attempt(1, ttft_ms=100.0, token_ms=10.0),
            attempt(1, ttft_ms=100.1, token_ms=10.1),
            attempt(1, ttft_ms=9999.0, stream=False),
        ],
        votes={rated.request_id: True, failed.request_id: True, "unknown": True},
    )
    rows = await counted(pool, [a_step()], at(100))
    candidate = {row.metric: (row.n, row.bad) for row in rows if row.arm == "candidate"}
    assert candidate == {
        "error": (10, 1),
        "refused": (10, 1),
        "empty": (8, 1),
        "truncated": (8, 1),
        "schema_invalid": (2, 1),
        "slow_start": (7, 1),
        "slow_tokens": (7, 1),
        "thumbs_down": (1, 1),
    }
    # The vote belongs to the answer that was given, not to the attempt that failed before it.
    assert cells(rows, "thumbs_down") == {
        (0, "candidate"): (1, 1, 1, 1),
        (0, "stable"): (1, 1, 1, 1),
    }


async def test_an_overdue_stream_counts_when_it_is_overdue_and_only_once(pool: Pool) -> None:
    slow = attempt(11, start=1, ttft_ms=9000.0, overdue=True)
    hung = overdue(3, start=1)
    await store(
        pool,
        [slow],
        [
            overdue(3, start=1, request_id=slow.request_id, unit_hash=slow.unit_hash),
            hung,
            overdue(3, start=1, version="v9"),
        ],
    )
    rows = await counted(pool, [a_step()], at(100))
    assert cells(rows, "slow_start") == {(0, "candidate"): (2, 2, 2, 2)}
    assert cells(rows, "error") == {(2, "candidate"): (1, 0, 1, 0)}


async def test_without_thresholds_slow_metrics_are_left_out(pool: Pool) -> None:
    await store(pool, [attempt(1)], [overdue(1)])
    step = StepWindow(index=0, started_at=T0)
    assert {row.metric for row in await counted(pool, [step], at(100))} == {
        "error",
        "refused",
        "empty",
        "truncated",
    }


async def test_a_unit_leaves_after_its_first_bad_event_of_that_metric(pool: Pool) -> None:
    await store(
        pool,
        [
            attempt(1, unit_hash="u"),
            attempt(2, unit_hash="u", error=True),
            attempt(3, unit_hash="u", error=True),
            attempt(6, unit_hash="u"),
            attempt(7, unit_hash="u", empty=True),
            attempt(8, unit_hash="other"),
        ],
    )
    rows = await counted(pool, [a_step()], at(100))
    assert cells(rows, "error") == {
        (0, "candidate"): (3, 2, 2, 1),
        (1, "candidate"): (3, 0, 1, 0),
    }
    assert cells(rows, "empty") == {
        (0, "candidate"): (3, 0, 3, 0),
        (1, "candidate"): (3, 1, 3, 1),
    }


async def test_a_unit_is_at_risk_again_in_the_next_step_and_in_the_other_arm(pool: Pool) -> None:
    await store(
        pool,
        [
            attempt(1, unit_hash="u", error=True),
            attempt(2, unit_hash="u", version="v1", attempt=2),
            attempt(11, unit_hash="u", error=True),
        ],
    )
    rows = await counted(pool, [a_step(0, 10, 0), a_step(10, None, 1)], at(100))
    assert cells([r for r in rows if r.step == 0], "error") == {
        (0, "candidate"): (1, 1, 1, 1),
        (0, "stable"): (1, 0, 1, 0),
    }
    assert cells([r for r in rows if r.step == 1], "error") == {(2, "candidate"): (1, 1, 1, 1)}


async def test_a_first_version_has_one_arm(pool: Pool) -> None:
    await store(pool, [attempt(1), attempt(1, version="v1")])
    rows = await counted(pool, [a_step()], at(100), stable=None)
    assert {row.arm for row in rows} == {"candidate"}


async def test_steps_counted_apart_are_steps_counted_together(pool: Pool) -> None:
    """So a caller may keep what a finished step gave."""
    rng = random.Random(5)
    rows, late, votes = a_random_log(rng, 300, seconds=60)
    await store(pool, rows, late, votes)
    steps = [a_step(0, 20, 0), a_step(20, 41, 1), a_step(41, None, 2)]
    together = await counted(pool, steps, at(55))
    apart = [row for step in steps for row in await counted(pool, [step], at(55))]
    assert together == apart


@pytest.mark.parametrize("seed", range(8))
async def test_random_logs_count_as_the_plain_reading_says(pool: Pool, seed: int) -> None:
    rng = random.Random(seed)
    rows, late, votes = a_random_log(rng, 1200, seconds=60)
    await store(pool, rows, late, votes)
    middle = rng.choice([20.0, 22.5, 24.999999, 25.000001])
    steps = [a_step(rng.choice([0.0, 1.5, 5.0]), middle, 0), a_step(middle, None, 1)]
    watermark = at(rng.choice([44.0, 45.0, 58.3]))
    found = await counted(pool, steps, watermark)
    assert found == naive(rows, late, votes, steps, watermark)
    assert any(row.risk_n < row.n for row in found)


def a_random_log(
    rng: random.Random, count: int, *, seconds: int
) -> tuple[list[Attempt], list[Overdue], Feedback]:
    """Few units with many requests, ends crowded around tick edges, every flag in play."""
    rows: list[Attempt] = []
    late: list[Overdue] = []
    votes: Feedback = {}
    for _ in range(count):
        edge = 5 * rng.randrange(-1, seconds // 5 + 1)
        end = edge + rng.choice([0.0, 0.000001, -0.000001, rng.uniform(0, 5)])
        chance = rng.random
        row = attempt(
            end,
            start=end - rng.choice([0.0, 0.2, rng.uniform(0, 6)]),
            unit_hash=f"u{rng.randrange(40)}",
            version=rng.choice(["v1", "v1", "v2", "v2", "v9"]),
            attempt=rng.choice([1, 1, 1, 2]),
            stream=chance() < 0.8,
            shadow=chance() < 0.05,
            error=chance() < 0.05,
            refused=chance() < 0.05,
            empty=rng.choice([None, False, False, False, True]),
            truncated=rng.choice([None, False, False, True]),
            schema_invalid=rng.choice([None, None, False, True]),
            overdue=chance() < 0.05,
            client_gone=chance() < 0.1,
            ttft_ms=rng.choice([None, 50.0, 50.0, 100.0, 100.5]),
            token_ms=rng.choice([None, 5.0, 5.0, 10.0, 11.0]),
        )
        rows.append(row)
        if row.overdue or chance() < 0.02:
            late.append(
                overdue(
                    end - rng.uniform(0, 3),
                    start=end - 4,
                    request_id=row.request_id,
                    attempt=row.attempt,
                    unit_hash=row.unit_hash,
                    version=row.version,
                )
            )
        if chance() < 0.2:
            votes[row.request_id] = chance() < 0.5
    return rows, late, votes


def naive(
    rows: Sequence[Attempt],
    late: Sequence[Overdue],
    votes: Feedback,
    steps: Sequence[StepWindow],
    watermark: datetime,
) -> list[CountRow]:
    """One event after the other in order of time, with a set of units that left."""
    result: list[CountRow] = []
    for step in steps:
        events = []
        for row in rows:
            unanswered = row.client_gone and row.ttft_ms is None
            if row.shadow or (unanswered and not row.error and not row.refused):
                continue
            verdicts: dict[str, bool | None] = {
                "error": row.error,
                "refused": row.refused,
                "empty": row.empty,
                "truncated": row.truncated,
                "schema_invalid": row.schema_invalid,
                "slow_start": None,
                "slow_tokens": None,
                "thumbs_down": None if row.error else votes.get(row.request_id),
            }
            if row.stream and not row.overdue and row.ttft_ms is not None:
                verdicts["slow_start"] = row.ttft_ms > (step.ttft_ms or 0)
            if row.token_ms is not None:
                verdicts["slow_tokens"] = row.token_ms > (step.token_ms or 0)
            events.append((row, verdicts))
        events += [(row, {"slow_start": True}) for row in late]
        events.sort(key=lambda event: event[0].timestamp)
        left: dict[tuple[str, str, str], datetime] = {}
        table: dict[tuple[str, int, str], list[int]] = {}
        for row, verdicts in events:
            arm = {"v2": "candidate", "v1": "stable"}.get(row.version)
            micros = (row.timestamp - T0).total_seconds()
            tick = TICK0 + int(micros // 5)
            opens = datetime.fromtimestamp(tick * 5, T0.tzinfo)
            closes = datetime.fromtimestamp(tick * 5 + 5, T0.tzinfo)
            if arm is None or opens < step.started_at or row.started_at < step.started_at:
                continue
            if closes > min(watermark, step.ended_at or watermark):
                continue
            for metric, bad in verdicts.items():
                if bad is None:
                    continue
                cell = table.setdefault((metric, tick, arm), [0, 0, 0, 0])
                gone = left.get((metric, arm, row.unit_hash))
                at_risk = gone is None or row.timestamp <= gone
                if bad and gone is None:
                    left[metric, arm, row.unit_hash] = row.timestamp
                cell[0] += 1
                cell[1] += bad
                cell[2] += at_risk
                cell[3] += bad and at_risk
        assert {metric for metric, _, _ in table} <= set(METRICS)
        result += [
            CountRow(metric=m, step=step.index, tick=t, arm=a, n=n, bad=b, risk_n=rn, risk_bad=rb)
            for (m, t, a), (n, b, rn, rb) in sorted(table.items())
        ]
    return result
