"""Baseline, shadow counts and totals; events and measurements: what people and the core read."""

from __future__ import annotations

import math
from datetime import timedelta
from statistics import quantiles

import pytest
from attempt_rows import T0, at, attempt

from slipway_store.attempts import ship
from slipway_store.connect import Pool
from slipway_store.events import append, list_events
from slipway_store.measurements import history, latest, record
from slipway_store.traffic import baseline, shadow_counts, summary


async def test_a_version_without_traffic(pool: Pool) -> None:
    found = await baseline(pool, model="tiny", version="v1", now=T0)
    assert found.requests == 0
    assert found.requests_per_second == 0
    assert found.ttft_p95_ms is None
    assert found.token_p95_ms is None
    assert await shadow_counts(pool, model="tiny", version="v1", since=T0, watermark=T0) == (0, 0)
    totals = await summary(pool, model="tiny", version="v1", since=T0)
    assert (totals.requests, totals.last_at, totals.latency_p50_ms) == (0, None, None)


@pytest.mark.parametrize(("samples", "known"), [(199, False), (200, True)])
async def test_percentiles_need_200_samples(pool: Pool, samples: int, known: bool) -> None:
    rows = [
        attempt(-n, version="v1", ttft_ms=float(n), token_ms=float(n))
        for n in range(1, samples + 1)
    ]
    rows += [attempt(-1, version="v1", ttft_ms=9e9, token_ms=9e9, error=True)]
    rows += [attempt(-1, version="v1", ttft_ms=9e9, token_ms=9e9, shadow=True)]
    rows += [attempt(-1, version="v1", stream=False, ttft_ms=9e9, token_ms=None)]
    rows += [attempt(-3601, version="v1", ttft_ms=9e9), attempt(1, version="v1", ttft_ms=9e9)]
    await ship(pool, gateway="g", segment="s", offset=1, attempts=rows)
    found = await baseline(pool, model="tiny", version="v1", now=T0)
    assert (found.ttft_samples, found.token_samples) == (samples, samples)
    assert found.requests == samples + 2
    if known:
        expected = quantiles(range(1, samples + 1), n=20, method="inclusive")[-1]
        assert found.ttft_p95_ms == pytest.approx(expected)
        assert found.token_p95_ms == pytest.approx(expected)
    else:
        assert found.ttft_p95_ms is None
        assert found.token_p95_ms is None


@pytest.mark.parametrize(
    ("first", "requests", "rate"), [(600, 1200, 2.0), (3599, 3599, 1.0), (2, 30, 0.5)]
)
async def test_the_rate_is_over_the_time_that_the_version_was_asked(
    pool: Pool, first: float, requests: int, rate: float
) -> None:
    rows = [attempt(-first * (1 - n / requests), version="v1") for n in range(requests)]
    await ship(pool, gateway="g", segment="s", offset=1, attempts=rows)
    found = await baseline(pool, model="tiny", version="v1", now=T0)
    assert found.requests_per_second == pytest.approx(rate, rel=0.01)


async def test_shadow_counts_only_copies_of_this_phase(pool: Pool) -> None:
    rows = [
        attempt(1, shadow=True),
        attempt(2, shadow=True, error=True),
        attempt(3, shadow=True, refused=True),
        attempt(4),
        attempt(4, shadow=True, version="v1"),
        attempt(1, start=-1, shadow=True),
        attempt(10, shadow=True),
    ]
    await ship(pool, gateway="g", segment="s", offset=1, attempts=rows)
    assert await shadow_counts(pool, model="tiny", version="v2", since=T0, watermark=at(10)) == (
        3,
        2,
    )


async def test_totals_for_people(pool: Pool) -> None:
    rows = [attempt(n, processing_time_ms=float(n), prompt_tokens=2) for n in range(1, 101)]
    rows += [attempt(101, error=True), attempt(102, refused=True), attempt(103, shadow=True)]
    await ship(pool, gateway="g", segment="s", offset=1, attempts=rows)
    totals = await summary(pool, model="tiny", version="v2", since=T0)
    assert (totals.requests, totals.errors, totals.refused, totals.shadow) == (102, 1, 1, 1)
    assert (totals.prompt_tokens, totals.completion_tokens) == (200, 0)
    assert totals.latency_p95_ms == pytest.approx(97, abs=1)
    assert totals.last_at == at(102)


async def test_events_are_listed_by_object_after_an_id(pool: Pool) -> None:
    for number in range(5):
        await append(
            pool,
            kind="Model",
            name=f"m{number % 2}",
            type="Normal",
            reason="R",
            message=f"{number}",
        )
    await append(pool, kind="Model", name="m0", type="Warning", reason="R", message="nul\0")
    events = await list_events(pool)
    assert [event.message for event in events] == ["0", "1", "2", "3", "4", "nul\ufffd"]
    assert [e.message for e in await list_events(pool, name="m1", kind="Model")] == ["1", "3"]
    assert await list_events(pool, name="m1", kind="ModelVersion") == []
    assert await list_events(pool, namespace="other") == []
    after = await list_events(pool, after=events[3].id)
    assert [event.message for event in after] == ["4", "nul\ufffd"]
    assert [event.message for event in await list_events(pool, limit=2)] == ["4", "nul\ufffd"]


async def test_an_event_that_repeats_the_last_is_said_once(pool: Pool) -> None:
    for message in ("a", "a", "b", "a"):
        await append(pool, kind="Model", name="m", type="Normal", reason="R", message=message)
    assert [event.message for event in await list_events(pool)] == ["a", "b", "a"]


async def test_measurements_keep_every_figure(pool: Pool) -> None:
    assert await latest(pool, "tiny", "v2") is None
    body = {"metrics": [{"e": -math.inf, "n": 3}, {"e": math.nan}], "p": 0.5, "why": "a\0b"}
    for step in range(3):
        for _ in range(2):
            await record(
                pool,
                model="tiny",
                version="v2",
                attempt="a",
                step=step,
                at=T0 + timedelta(seconds=step),
                verdict="Continue",
                body=body,
            )
    newest = await latest(pool, "tiny", "v2")
    assert newest is not None
    assert newest.step == 2
    assert newest.body == {
        "metrics": [{"e": "-inf", "n": 3}, {"e": "nan"}],
        "p": 0.5,
        "why": "a\ufffdb",
    }
    assert [m.step for m in await history(pool, "tiny", "v2", limit=2)] == [2, 1]
