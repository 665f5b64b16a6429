"""The write-ahead segment: what was appended is read back, whatever a crash left behind."""

from __future__ import annotations

import itertools
import os
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway_contracts.attempt import Attempt, Overdue
from slipway_gateway.attempts.clock import RowClock
from slipway_gateway.attempts.log import AttemptLog
from slipway_gateway.attempts.segment import Segments, SlotTaken, decode, encode

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


@given(st.text(), st.text())
def test_any_text_survives(one, two):
    row = attempt(input_text=one, output_text=two)
    line = encode(row)
    assert line.count(b"\n") == 1
    assert decode(line[:-1]) == row


def test_an_overdue_event_survives():
    assert decode(encode(overdue())[:-1]) == overdue()


@given(st.data())
def test_a_cut_or_changed_line_is_not_a_row(data):
    line = encode(attempt(input_text="hello"))[:-1]
    cut = data.draw(st.integers(0, len(line) - 1))
    assert decode(line[:cut]) is None
    changed = bytearray(line)
    changed[cut] ^= 1
    assert decode(bytes(changed)) is None


def test_a_field_of_a_newer_version_is_ignored():
    import zlib

    payload = encode(attempt())[9:-1].replace(b'{"request_id"', b'{"new_field":1,"request_id"')
    assert decode(b"%08x %b" % (zlib.crc32(payload), payload)) == attempt()


def test_reads_back_in_batches(segments):
    for number in range(7):
        segments.append(attempt(f"r{number}"))
    read, offset = [], 0
    while True:
        entries, after = segments.read(segments.name, offset, 3)
        if after == offset:
            break
        assert entries[-1].end == after
        read += [entry.row.request_id for entry in entries]
        offset = after
    assert read == [f"r{number}" for number in range(7)]
    assert offset == segments.end == segments.size(segments.name)


def test_a_row_larger_than_a_read(segments):
    segments.append(attempt(input_text="x" * 300_000))
    entries, after = segments.read(segments.name, 0, 1)
    assert after == segments.end
    assert len(entries[0].row.input_text) == 300_000


def test_a_torn_tail_and_foreign_lines_are_skipped(segments, tmp_path):
    segments.append(attempt("r1"))
    path = tmp_path / "slot" / segments.name
    with path.open("ab") as file:
        file.write(b"garbage\n")
        file.write(encode(attempt("r2")))
        file.write(encode(attempt("r3"))[:20])
    entries, after = segments.read(segments.name, 0, 10)
    assert [entry.row.request_id for entry in entries] == ["r1", "r2"]
    assert after == path.stat().st_size - 20
    assert segments.read(segments.name, after, 10) == ([], after)


def test_full_segments_are_followed_by_new_ones_in_order(segments):
    names = []
    for number in range(100):
        segments.append(attempt(f"r{number}"))
        if segments.name not in names:
            names.append(segments.name)
    assert len(names) > 1
    assert segments.waiting() == names
    segments.drop(segments.name)
    segments.drop(names[0])
    assert segments.waiting() == names[1:]
    read = [entry.row.request_id for name in names[1:] for entry in segments.read(name, 0, 1000)[0]]
    assert read == [f"r{number}" for number in range(100 - len(read), 100)]


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
    entries, _ = segments.read(segments.name, 0, 10)
    assert [entry.row.request_id for entry in entries] == ["kept"]


@settings(max_examples=20)
@given(st.lists(st.integers(-5_000_000, 5_000_000), min_size=2, max_size=20))
def test_the_row_clock_never_repeats_or_goes_back(jumps):
    clock, wall = RowClock(), 1_700_000_000_000_000
    times = []
    with pytest.MonkeyPatch.context() as patch:
        for jump in jumps:
            wall += jump
            patch.setattr("time.time_ns", lambda wall=wall: wall * 1000)
            times.append(clock.now())
    assert all(a < b for a, b in itertools.pairwise(times))
