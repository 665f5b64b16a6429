"""The shipper against a store in memory: batches, rotation, poison, watermark."""

from __future__ import annotations

from datetime import UTC, datetime

import asyncpg
import pytest

from slipway_contracts.attempt import Attempt, Overdue
from slipway_gateway.attempts import shipper as module
from slipway_gateway.attempts.clock import RowClock
from slipway_gateway.attempts.segment import Segments, encode
from slipway_gateway.attempts.shipper import Shipper

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Store:
    """``slipway_store.attempts`` in memory. ``poison``: request ids that PostgreSQL refuses."""

    def __init__(self):
        self.rows: list[str] = []
        self.overdue: list[str] = []
        self.offsets: dict[str, int] = {}
        self.calls = 0
        self.away = False
        self.poison: set[str] = set()
        self.before_ship = lambda: None

    async def ship(self, pool, *, gateway, segment, offset, attempts, overdue):
        self.calls += 1
        self.before_ship()
        if self.away:
            raise ConnectionError("away")
        if self.poison & {row.request_id for row in attempts}:
            raise asyncpg.DataError("refused")
        if offset <= self.offsets.get(segment, 0):
            return False
        self.offsets[segment] = offset
        self.rows += [row.request_id for row in attempts]
        self.overdue += [row.request_id for row in overdue]
        return True

    async def shipped_offset(self, pool, gateway, segment):
        return self.offsets.get(segment, 0)

    async def forget_segment(self, pool, gateway, segment):
        self.offsets.pop(segment, None)


def attempt(request_id, **fields):
    base = {
        "request_id": request_id, "attempt": 1, "timestamp": NOW, "started_at": NOW,
        "gateway": "0", "route": "/forward", "model_name": "demo", "version": "v1",
        "routes_revision": 1, "unit_hash": "u", "status": 200, "processing_time_ms": 1.5,
    }  # fmt: skip
    return Attempt(**base | fields)


@pytest.fixture
def store(monkeypatch):
    store = Store()
    monkeypatch.setattr(module, "store", store)
    return store


@pytest.fixture
def segments(tmp_path):
    segments = Segments(tmp_path / "slot", 2000)
    yield segments
    segments.close()


def a_shipper(segments, clock=None, rows=3):
    return Shipper(segments, clock or RowClock(), gateway="0", interval=0.01, batch_rows=rows)


def names(count, start=0):
    return [f"r{number}" for number in range(start, start + count)]


async def test_everything_in_order_in_batches_over_rotations(store, segments):
    shipper = a_shipper(segments)
    for name in names(20):
        segments.append(attempt(name))
    assert len(segments.waiting()) > 2
    await shipper.ship_all(None)
    assert store.rows == names(20)
    assert segments.waiting() == [segments.name]
    assert list(store.offsets) == [segments.name]
    assert shipper.shipped == 20
    calls = store.calls
    await shipper.ship_all(None)
    assert store.calls == calls


async def test_rows_that_come_while_shipping_and_rotate_are_not_lost(store, tmp_path):
    # Room for four: the last batch of three leaves room for one more before the next segment.
    segments = Segments(tmp_path / "slot", int(4.5 * len(encode(attempt("r00")))))
    shipper, more = a_shipper(segments), iter(range(3, 40))
    for name in names(3):
        segments.append(attempt(name))

    def append():
        for _ in range(5):
            if (number := next(more, None)) is not None:
                segments.append(attempt(f"r{number}"))

    store.before_ship = append
    for _ in range(10):
        await shipper.ship_all(None)
    assert store.rows == names(40)
    segments.close()


async def test_the_watermark_waits_for_the_rows(store, segments):
    clock = RowClock()
    shipper = a_shipper(segments, clock)
    start = shipper.watermark
    await shipper.ship_all(None)
    idle = shipper.watermark
    assert idle > start
    ended = clock.now()
    segments.append(attempt("r0", timestamp=ended))
    store.away = True
    with pytest.raises(ConnectionError):
        await shipper.ship_all(None)
    assert shipper.watermark == idle < ended
    store.away = False
    await shipper.ship_all(None)
    assert shipper.watermark > ended


async def test_a_row_that_is_refused_does_not_stop_the_others(store, segments, tmp_path):
    store.poison = {"r1"}
    shipper = a_shipper(segments, rows=10)
    for name in names(3):
        segments.append(attempt(name))
    await shipper.ship_all(None)
    assert store.rows == ["r0", "r2"]
    assert '"request_id":"r1"' in (tmp_path / "slot" / "rejected.jsonl").read_text()
    segments.append(attempt("r3"))
    await shipper.ship_all(None)
    assert store.rows == ["r0", "r2", "r3"]


async def test_the_next_process_ships_what_was_left_and_nothing_twice(store, tmp_path):
    first = Segments(tmp_path / "slot", 10_000)
    for name in names(4):
        first.append(attempt(name))
    await a_shipper(first).ship_all(None)
    for name in names(3, start=4):
        first.append(attempt(name))
    first.append(
        Overdue(
            request_id="late", attempt=1, timestamp=NOW, started_at=NOW, model_name="demo",
            version="v1", unit_hash="u",
        )
    )  # fmt: skip
    first.close()

    second = Segments(tmp_path / "slot", 10_000)
    second.append(attempt("r7"))
    shipper = a_shipper(second)
    await shipper.ship_all(None)
    assert store.rows == names(8)
    assert store.overdue == ["late"]
    assert shipper.shipped == 1
    assert second.waiting() == [second.name]
    second.close()
