"""Rows that are read where they are known to lie are those that a search of the file finds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from attempt_rows import attempt
from hypothesis import given
from hypothesis import strategies as st

from slipway_contracts.attempt import Overdue
from slipway_gateway.attempts import kept as module
from slipway_gateway.attempts.kept import Kept
from slipway_gateway.attempts.reading import Hint, read
from slipway_gateway.attempts.segment import Segments

NOW = datetime(2026, 1, 2, tzinfo=UTC)
# Append an attempt or an overdue row, or read so many rows after an ordinal.
STEPS = st.lists(
    st.one_of(
        st.sampled_from(["attempt", "overdue"]),
        st.tuples(st.integers(0, 12), st.integers(1, 5)),
    ),
    max_size=40,
)


def overdue(number):
    return Overdue(
        request_id=f"o{number}\ud800", attempt=1, timestamp=NOW, started_at=NOW, model_name="demo",
        version="v1", unit_hash="u",
    )  # fmt: skip


@pytest.mark.parametrize("limit", [1_000, 3], ids=["all of it", "little"])
def test_what_is_read_is_what_the_file_says(tmp_path_factory, monkeypatch, limit):
    monkeypatch.setattr(module, "LIMIT", limit)

    @given(STEPS)
    def play(steps):
        folder = tmp_path_factory.mktemp("slot")
        segments = Segments(folder, 10_000_000)
        try:
            for number, step in enumerate(steps):
                if step == "attempt":
                    segments.append(attempt(number))
                elif step == "overdue":
                    segments.append(overdue(number))
                else:
                    after, rows = step
                    found = segments.read(segments.name, after, rows)
                    said, _ = read(folder / segments.name, after, rows, Hint())
                    assert found.tuples == said.tuples
                    assert found.overdue == said.overdue
                    assert (found.start, found.end) == (said.start, said.end)
                    assert segments.time_after(segments.name, found.end) is None or (
                        found.end < segments.count
                    )
        finally:
            segments.close()

    play()


def test_places_that_nobody_takes_are_let_go_and_later_ones_kept(monkeypatch):
    monkeypatch.setattr(module, "LIMIT", 3)
    kept = Kept()
    for number in range(5):
        kept.add(4 * number, 4 * number + 4)
    # The fourth let go of three.
    assert kept.first == 4
    assert kept.take(0, 9) == []
    assert kept.take(3, 1) == [(12, 16)]
    assert kept.take(4, 9) == [(16, 20)]
    assert kept.take(5, 9) == []
