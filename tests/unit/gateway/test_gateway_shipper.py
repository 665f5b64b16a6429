"""The shipper against a store in memory: batches, rotation, poison, watermark."""

from __future__ import annotations

from datetime import UTC, datetime

import asyncpg
import pytest

from slipway_contracts.attempt import Attempt, Overdue
from slipway_gateway.attempts import shipper as module
from slipway_gateway.attempts.clock import RowClock
from slipway_gateway.attempts.frames import encode, header
from slipway_gateway.attempts.segment import Segments
from slipway_gateway.attempts.shipper import Shipper
from slipway_store.tuples import decode

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Store:
    """``slipway_store.attempts`` in memory. ``poison``: request ids that PostgreSQL refuses."""

    def __init__(self):
        self.rows: list[str] = []
        self.overdue: list[str] = []
        self.offsets: dict[str, int] = {}
        self.calls = 0
        self.away = False
        self.lose_answer = False
        self.poison: set[str] = set()
        self.before_ship = lambda: None

    async def copy(self, pool, *, gateway, segment, start, end, attempts, columns, overdue):
        self.calls += 1
        self.before_ship()
        if self.away:
            raise ConnectionError("away")
        rows = [decode(columns, data).request_id for data in attempts]
        if self.poison & set(rows):
            raise asyncpg.DataError("refused")
        if self.offsets.get(segment, 0) != start:
            return self.offsets.get(segment, 0)
        self.offsets[segment] = end
        self.rows += rows
        self.overdue += [row.request_id for row in overdue]
        if self.lose_answer:
            self.lose_answer = False
            raise ConnectionError("lost")
        return end

    async def ship(self, pool, *, gateway, segment, offset, attempts, overdue):
        if self.poison & {row.request_id for row in attempts}:
            raise asyncpg.DataError("refused")
        if offset > self.offsets.get(segment, 0):
            self.offsets[segment] = offset
            for row in [*attempts, *overdue]:
                await self.insert(pool, row)

    async def insert(self, pool, row):
        if row.request_id in self.poison:
            raise asyncpg.DataError("refused")
        kept = self.rows if isinstance(row, Attempt) else self.overdue
        if row.request_id not in kept:
            kept.append(row.request_id)

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
    segments = Segments(
        tmp_path / "slot", len(header()) + int(4.5 * len(encode(attempt("r00"), 1)))
    )
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


async def test_rows_whose_answer_was_lost_go_once(store, segments):
    shipper = a_shipper(segments)
    for name in names(3):
        segments.append(attempt(name))
    store.lose_answer = True
    with pytest.raises(ConnectionError):
        await shipper.ship_all(None)
    # The next batch holds these three and one more, or begins after them.
    shipper._batch_rows = 10
    segments.append(attempt("r3"))
    await shipper.ship_all(None)
    assert store.rows == names(4)
    assert shipper.shipped == 4


async def test_a_database_of_yesterday_gets_again_what_it_has_lost(store, segments):
    shipper = a_shipper(segments)
    for name in names(4):
        segments.append(attempt(name))
    await shipper.ship_all(None)
    store.rows, store.offsets = [], {}
    segments.append(attempt("r4"))
    await shipper.ship_all(None)
    assert store.rows == names(5)
