"""The table of ``make bench-gateway``: what is met, what is missed, and what was not measured."""

from __future__ import annotations

from typing import Any

import pytest
from benchmarks.bars import BARS, Bar, figure_of
from benchmarks.bench_gateway import judged
from benchmarks.load import unframed
from benchmarks.parts import PARTS

MOST = Bar(what="cost", part="relay", figure="ratio.peer.request", most=0.75)
LEAST = Bar(what="speed", part="relay", figure="rows", least=30_000)
PRINTED = Bar(what="beside", part="relay", figure="p99")


@pytest.mark.parametrize(
    ("bar", "value", "met"),
    [
        (MOST, 0.75, True),
        (MOST, 0.751, False),
        (LEAST, 30_000, True),
        (LEAST, 29_999.0, False),
        (MOST, None, False),
        (PRINTED, 1e9, None),
        (PRINTED, None, None),
    ],
)
def test_a_limit_is_within_the_bar(bar: Bar, value: float | None, met: bool | None) -> None:
    assert bar.met(value) is met


@pytest.mark.parametrize(
    ("bar", "text"), [(MOST, "<= 0.75"), (LEAST, ">= 30,000"), (PRINTED, "(printed)")]
)
def test_a_limit_is_written_as_people_do(bar: Bar, text: str) -> None:
    assert bar.wanted == text


def test_a_figure_is_a_path() -> None:
    found = {"ratio": {"peer": {"request": 0.5}}, "ok": {}, "name": "relay"}

    assert figure_of(found, "ratio.peer.request") == 0.5
    for path in ("ratio.peer", "ratio.other.request", "ok.request", "name", "name.first", "gone"):
        assert figure_of(found, path) is None


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"failed": "status 1; it broke"}, "status 1; it broke"),
        ({"not_measured": {"peer": "it is not there"}}, "it is not there"),
        ({"not_measured": {"other": "-"}}, "the part relay printed no ratio.peer.request"),
    ],
)
def test_what_was_not_measured_is_missed_and_says_why(found: dict[str, Any], why: str) -> None:
    (row,) = judged([MOST], {"relay": found})

    assert row == {
        "bar": "cost", "wanted": "<= 0.75", "measured": None, "met": False, "why": why,
    }  # fmt: skip


def test_every_bar_is_of_a_part_and_is_there_once() -> None:
    assert {bar.part for bar in BARS} == {part.name for part in PARTS}
    assert len({bar.what for bar in BARS}) == len({(b.part, b.figure) for b in BARS}) == len(BARS)


def test_small_counts_come_before_rounds_that_were_asked_for() -> None:
    relay = next(part for part in PARTS if part.name == "relay")

    command = relay.command(rounds=3, tiny=True)

    assert command[-2:] == ["--rounds", "3"]
    assert command.index("--requests") < len(command) - 2


def test_chunk_sizes_are_no_part_of_the_bytes() -> None:
    assert unframed(b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n") == b"abc0123456789"
    assert unframed(b"0\r\n\r\n") == b""
