"""PostgreSQL stays away: texts go first and oldest first, rows only when nothing else is left."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from slipway_contracts.attempt import Attempt
from slipway_gateway.attempts.bound import Bound
from slipway_gateway.attempts.clock import RowClock
from slipway_gateway.attempts.segment import Segments
from slipway_gateway.attempts.shipper import Shipper
from slipway_store import tuples

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SEGMENT = 20_000


def attempt(number, text="x" * 1000):
    return Attempt(
        request_id=f"r{number}", attempt=1, timestamp=NOW, started_at=NOW, gateway="0", route="/",
        model_name="demo", version="v1", routes_revision=1, unit_hash="u", status=200,
        processing_time_ms=1.5, input_text=text, output_text=text,
    )  # fmt: skip


@pytest.fixture
def segments(tmp_path):
    segments = Segments(tmp_path / "slot", SEGMENT)
    yield segments
    segments.close()


def bound(segments, limit):
    shipper = Shipper(segments, RowClock(), gateway="0", interval=1, batch_rows=10)
    return Bound(segments, shipper, limit)


def stored(segments):
    """Rows by segment, oldest first."""
    found = []
    for name in segments.waiting():
        batch = segments.read(name, 0, 10_000)
        found.append([tuples.decode(batch.columns, data) for data in batch.tuples])
    return found


def on_disk(tmp_path):
    return sum(path.stat().st_size for path in (tmp_path / "slot").glob("*.seg"))


async def test_the_oldest_texts_go_first_and_no_row_does(segments, tmp_path):
    for number in range(100):
        segments.append(attempt(number))
    assert segments.size() == on_disk(tmp_path)
    limit = 5 * SEGMENT
    keeper = bound(segments, limit)
    await keeper.keep()
    assert segments.size() == on_disk(tmp_path) <= limit
    rows = stored(segments)
    assert [row.request_id for part in rows for row in part] == [f"r{n}" for n in range(100)]
    with_texts = [all(row.input_text and row.output_text for row in part) for part in rows]
    without = [not any(row.input_text or row.output_text for row in part) for part in rows]
    # A prefix is without, the rest is whole.
    assert without == sorted(without, reverse=True)
    assert with_texts == [not bare for bare in without]
    assert keeper.stripped == sum(map(len, rows[: sum(without)]))
    assert keeper.dropped == 0
    before = keeper.stripped
    await keeper.keep()
    assert keeper.stripped == before


async def test_rows_go_only_at_twice_the_bound_and_are_counted(segments, tmp_path, caplog):
    for number in range(400):
        segments.append(attempt(number, text=None))
    limit = segments.size() // 2 + 1
    keeper = bound(segments, limit)
    await keeper.keep()
    assert (keeper.dropped, keeper.stripped) == (0, 0)
    for number in range(400, 500):
        segments.append(attempt(number, text=None))
    await keeper.keep()
    assert segments.size() == on_disk(tmp_path) <= 2 * limit
    rows = [row.request_id for part in stored(segments) for row in part]
    assert rows == [f"r{number}" for number in range(keeper.dropped, 500)]
    assert keeper.dropped > 0
    assert "LOST" in caplog.text


async def test_the_segment_that_is_written_now_is_never_touched(segments):
    for number in range(8):
        segments.append(attempt(number))
    assert len(segments.waiting()) == 1
    keeper = bound(segments, 100)
    await keeper.keep()
    assert (keeper.stripped, keeper.dropped) == (0, 0)
    assert len(stored(segments)[0]) == 8


async def test_a_disk_without_room_leaves_the_segment_as_it_is(segments, monkeypatch, tmp_path):
    for number in range(50):
        segments.append(attempt(number))

    def full(*args):
        raise OSError(28, "no space left")

    monkeypatch.setattr("slipway_gateway.attempts.reading.os.fdatasync", full)
    with pytest.raises(OSError, match="no space"):
        await bound(segments, 1000).keep()
    assert len([row for part in stored(segments) for row in part if row.input_text]) == 50
    assert not list((tmp_path / "slot").glob("*.new"))


async def test_what_a_start_finds_is_bound_too(segments, tmp_path):
    for number in range(50):
        segments.append(attempt(number))
    segments.close()
    unfinished = tmp_path / "slot" / "1-1-1.new"
    unfinished.write_bytes(b"half")
    again = Segments(tmp_path / "slot", SEGMENT)
    assert again.size() == on_disk(tmp_path)
    assert not unfinished.exists()
    keeper = bound(again, 8000)
    await keeper.keep()
    assert keeper.stripped == 50
    assert len([row for part in stored(again) for row in part]) == 50
    again.close()
