"""Tables, ages and the ends of log files."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from slipway_cli.render import age, moment, span, table
from slipway_cli.tail import follow, last_lines

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_table_never_cuts_or_wraps() -> None:
    long = "x" * 500
    head, row = table(["A", "B"], [[long, "1"]])
    assert row == f"{long}   1"
    assert head == "A".ljust(500) + "   B"
    assert table(["A"], []) == ["A"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (600, "10m"),
        (3 * 3600 + 300, "3h5m"),
        (9 * 3600, "9h"),
        (86_400 * 2, "2d"),
        (-5, "0s"),
    ],
)
def test_spans_read_like_kubectls(seconds: int, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text


def test_age_and_moment() -> None:
    assert age(None, NOW) == "<none>"
    assert age(NOW - timedelta(seconds=8), NOW) == "8s"
    assert moment(NOW) == "2026-01-01T00:00:00Z"


def test_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\n\xff three")
    assert list(last_lines(path, None)) == ["one", "two", "\ufffd three"]
    assert list(last_lines(path, 1)) == ["\ufffd three"]
    assert list(last_lines(path, 0)) == []


def test_following_gives_whole_lines_and_survives_truncation(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    stream = follow([path], poll=0.001)

    def later(*texts: str) -> None:
        def write() -> None:
            for text in texts:
                with path.open("a") as file:
                    file.write(text)

        threading.Timer(0.05, write).start()

    later("ne", "w\nhal")
    assert next(stream) == (path, "new")
    later("f\n")
    assert next(stream) == (path, "half")
    path.write_text("")
    later("again\n")
    assert next(stream) == (path, "again")
