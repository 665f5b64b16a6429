"""The write-ahead segment: what was appended is read back, whatever a crash left behind."""

from __future__ import annotations

import itertools
import os
import zlib
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway_contracts.attempt import Attempt, Overdue
from slipway_gateway.attempts.clock import RowClock
from slipway_gateway.attempts.frames import decode_overdue, encode, scan
from slipway_gateway.attempts.log import AttemptLog
from slipway_gateway.attempts.segment import Segments, SlotTaken
from slipway_store import tuples
from slipway_store.clean import clean

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def attempt(request_id="r1", **fields):
    base = {
        "request_id": request_id, "attempt": 1, "timestamp": NOW, "started_at": NOW,
        "gateway": "0", "route": "/v1/chat/completions", "model_name": "demo", "version": "v1",
        "routes_revision": 1, "unit_hash": "u", "status": 200, "processing_time_ms": 1.5,
    }  # fmt: skip
    return Attempt(**base | fields)


def overdue():
    return Overdue(
        request_id="r1", attempt=1, timestamp=NOW, started_at=NOW, model_name="demo",
        version="v1", unit_hash="u",
    )  # fmt: skip


@pytest.fixture
def segments(tmp_path):
    segments = Segments(tmp_path / "slot", 10_000)
    yield segments
    segments.close()


def frames_of(row, ordinal=1):
    return list(scan(encode(row, ordinal), whole=True))


def read_all(segments, name, rows=1000):
    """Request ids of a segment, read in batches of ``rows``."""
    found, after = [], 0
    while len(batch := segments.read(name, after, rows)):
        assert batch.start == after
        found += ids(batch)
        after = batch.end
    return found


def ids(batch):
    return [tuples.decode(batch.columns, data).request_id for data in batch.tuples]


@given(st.text(), st.text(), st.integers(0, 2**32 - 1))
def test_any_text_survives_but_what_postgresql_cannot_hold(one, two, ordinal):
    row = attempt(input_text=one, output_text=two)
    (found,) = frames_of(row, ordinal)
    assert (found.kind, found.ordinal) == (b"a", ordinal)
    cleaned = attempt(input_text=clean(one), output_text=clean(two))
    assert tuples.decode(tuples.COLUMNS, found.payload) == cleaned


def test_an_overdue_event_survives():
    (found,) = frames_of(overdue())
    assert decode_overdue(found.payload) == overdue()
    (found,) = frames_of(replace(overdue(), request_id="a\ud800"))
    assert decode_overdue(found.payload).request_id == "a?"


@given(st.data())
def test_a_cut_or_changed_frame_is_not_a_row(data):
    line = encode(attempt(input_text="hello"), 1)
    cut = data.draw(st.integers(0, len(line) - 1))
    assert list(scan(line[:cut], whole=True)) == []
    assert list(scan(line[:cut], whole=False)) == []
    changed = bytearray(line)
    changed[cut] ^= 1
    assert list(scan(bytes(changed), whole=True)) == []


@given(st.data())
def test_damage_costs_the_rows_that_it_hits_and_no_other(data):
    pieces = [encode(attempt(f"r{number}"), number) for number in range(1, 6)]
    hit = data.draw(st.integers(0, 4))
    at = data.draw(st.integers(0, len(pieces[hit]) - 1))
    length = data.draw(st.integers(1, len(pieces[hit]) - at))
    damaged = pieces[hit][:at] + bytes(length) + pieces[hit][at + length :]
    pieces[hit] = damaged if damaged != pieces[hit] else damaged[:at]
    found = [frame.ordinal for frame in scan(b"".join(pieces), whole=True)]
    assert found == [number for number in range(1, 6) if number != hit + 1]


def test_a_line_of_the_version_before_is_read(tmp_path):
    def line(values):
        payload = b"a " + orjson.dumps(values)
        return b"%08x %b\n" % (zlib.crc32(payload), payload)

    (tmp_path / "slot").mkdir()
    left = tmp_path / "slot" / "00000000000000000001-1-1.wal"
    rows = [asdict(attempt(f"r{number}")) | {"newer": 1} for number in range(3)]
    left.write_bytes(line(rows[0]) + b"garbage\n" + line(rows[1]) + line(rows[2])[:-9])
    segments = Segments(tmp_path / "slot", 10_000)
    assert segments.waiting() == [left.name, segments.name]
    found = segments.read_lines(left.name, 0, 1)
    assert (found.attempts, found.overdue) == ([attempt("r0")], [])
    found = segments.read_lines(left.name, found.end, 10)
    assert found.attempts == [attempt("r1")]
    assert segments.read_lines(left.name, found.end, 10).end == found.end
    segments.close()


def test_reads_back_in_batches(segments):
    for number in range(7):
        segments.append(attempt(f"r{number}"))
    assert segments.read(segments.name, 0, 3).end == 3
    assert read_all(segments, segments.name, 3) == [f"r{number}" for number in range(7)]
    # From anywhere, whatever was read before.
    assert ids(segments.read(segments.name, 2, 2)) == ["r2", "r3"]
    assert ids(segments.read(segments.name, 6, 10)) == ["r6"]
    assert len(segments.read(segments.name, 7, 10)) == 0
    assert segments.count == 7


def test_rows_that_come_after_an_empty_read_are_read(segments):
    assert len(segments.read(segments.name, 0, 3)) == 0
    segments.append(attempt("r0"))
    assert ids(segments.read(segments.name, 0, 3)) == ["r0"]
    segments.append(attempt("r1"))
    assert ids(segments.read(segments.name, 1, 3)) == ["r1"]


def test_a_row_larger_than_a_read(segments):
    segments.append(attempt(input_text="x" * 3_000_000))
    name = segments.name
    segments.append(attempt("r2"))
    assert read_all(segments, name) == ["r1"]
    assert read_all(segments, segments.name) == ["r2"]


def test_more_than_one_read_of_a_file_before_the_first_row_that_is_wanted(tmp_path):
    segments = Segments(tmp_path / "slot", 100_000_000)
    for number in range(40):
        segments.append(attempt(f"r{number}", input_text="x" * 100_000))
    assert ids(segments.read(segments.name, 35, 2)) == ["r35", "r36"]
    segments.close()


def test_a_torn_tail_and_foreign_bytes_are_skipped(segments, tmp_path):
    segments.append(attempt("r1"))
    path = tmp_path / "slot" / segments.name
    with path.open("ab") as file:
        file.write(b"garbage\n")
        file.write(encode(attempt("r2"), 2))
        file.write(encode(attempt("r3"), 3)[:20])
    name = segments.name
    segments.close()
    after = Segments(tmp_path / "slot", 10_000)
    batch = after.read(name, 0, 10)
    assert ids(batch) == ["r1", "r2"]
    assert len(after.read(name, batch.end, 10)) == 0
    after.close()


def test_full_segments_are_followed_by_new_ones_in_order(segments):
    names = []
    for number in range(100):
        segments.append(attempt(f"r{number}"))
        if segments.name not in names:
            names.append(segments.name)
    assert len(names) > 1
    assert segments.waiting() == names
    segments.sync()
    segments.drop(segments.name)
    segments.drop(names[0])
    assert segments.waiting() == names[1:]
    read = [name for segment in names[1:] for name in read_all(segments, segment)]
    assert read == [f"r{number}" for number in range(100 - len(read), 100)]
    assert len(segments.read(names[0], 0, 10)) == 0


async def test_texts_are_taken_out_and_every_other_value_stays(segments):
    while len(segments.waiting()) < 3:
        segments.append(attempt(f"r{segments.count}", input_text="in" * 50, output_text="é"))
    segments.append(overdue())
    name, before = segments.waiting()[0], segments.size()
    kept = segments.read(name, 0, 2)
    await segments.strip(name, 2)
    assert segments.size() < before
    assert name not in segments.with_texts()
    assert len(segments.with_texts()) == 1
    # What PostgreSQL has up to the second row goes on at the third.
    batch = segments.read(name, kept.end, 100)
    rows = [tuples.decode(batch.columns, data) for data in batch.tuples]
    assert rows[0] == attempt("r2")
    assert {row.input_text for row in rows} == {row.output_text for row in rows} == {None}


def test_a_slot_has_one_owner(segments, tmp_path):
    with pytest.raises(SlotTaken, match="SLOT"):
        Segments(tmp_path / "slot", 10_000)
    left = segments.name
    segments.append(attempt())
    segments.close()
    after = Segments(tmp_path / "slot", 10_000)
    assert after.waiting() == [left, after.name]
    after.close()


def test_a_full_disk_loses_the_row_and_not_the_service(segments, monkeypatch):
    log = AttemptLog(segments, RowClock())
    seen = []
    log.on_attempt.append(seen.append)
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:10]))
    log.append(attempt("lost"))
    monkeypatch.setattr(os, "write", write)
    log.append(attempt("kept"))
    assert (log.lost, log.appended, len(seen)) == (1, 1, 2)
    assert read_all(segments, segments.name) == ["kept"]


@settings(max_examples=20)
@given(st.lists(st.integers(-5_000_000, 5_000_000), min_size=2, max_size=20))
def test_the_row_clock_never_repeats_or_goes_back(jumps):
    clock, wall = RowClock(), 1_700_000_000_000_000
    times = []
    with pytest.MonkeyPatch.context() as patch:
        for jump in jumps:
            wall += jump
            patch.setattr("slipway_gateway.attempts.clock.time_ns", lambda wall=wall: wall * 1000)
            times.append(clock.now())
    assert all(a < b for a, b in itertools.pairwise(times))


def test_the_time_of_the_first_row_that_is_not_shipped(segments):
    times = [NOW + timedelta(seconds=n) for n in range(4)]
    name = segments.name
    assert segments.time_after(name, 0) is None
    for time in times:
        segments.append(attempt(timestamp=time))
    assert segments.time_after(name, 0) == times[0].timestamp()
    segments.read(name, 0, 2)
    assert segments.time_after(name, 2) == times[2].timestamp()
    assert segments.time_after(name, 4) is None
    # Where it would have to be searched: when the segment was begun, which is no later.
    assert segments.time_after(name, 1) == int(name.split("-")[0]) / 1e9
    # Read and on its way, which is not shipped.
    segments.mark(name)
    segments.read(name, 2, 1)
    segments.read(name, 3, 1)
    assert segments.time_after(name, 2) == times[2].timestamp()
    segments.append(attempt("big", input_text="x" * 9_990))
    assert segments.name != name
    assert segments.time_after(name, 2) == times[2].timestamp()
