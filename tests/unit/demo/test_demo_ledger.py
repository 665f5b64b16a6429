"""The join of ledger and log, and the sticky check, as tables."""

from __future__ import annotations

import math

import pytest
from demo_evidence import an_attempt, an_entry

from slipway_cli.demo.ledger import (
    Join,
    join_log,
    parse_entries,
    read_ledger,
    repeated_ids,
    sticky_violations,
)
from slipway_cli.demo.timeline import RisingWindow


@pytest.mark.parametrize(
    ("entries", "rows", "expected"),
    [
        pytest.param([], [], Join(), id="nothing sent"),
        pytest.param([an_entry("a")], [an_attempt("a")], Join(), id="whole"),
        pytest.param([an_entry("a")], [], Join(missing=("a",)), id="no row"),
        pytest.param(
            [an_entry("a", status=None, version=None, ok=False)],
            [],
            Join(),
            id="never answered: failed, not missing",
        ),
        pytest.param(
            [an_entry("a", status=503, version=None, ok=False)],
            [],
            Join(missing=("a",)),
            id="refused by the gateway without a row",
        ),
        pytest.param(
            [an_entry("a")],
            [an_attempt("a", shadow=True, version="v2")],
            Join(missing=("a",)),
            id="a shadow copy is no row",
        ),
        pytest.param(
            [an_entry("a")],
            [an_attempt("a"), an_attempt("a", shadow=True, version="v2")],
            Join(),
            id="a shadow copy is no duplicate",
        ),
        pytest.param(
            [an_entry("a")],
            [an_attempt("a"), an_attempt("a")],
            Join(duplicates=("a",)),
            id="one attempt twice",
        ),
        pytest.param(
            [an_entry("a", version="v1")],
            [an_attempt("a", version="v2"), an_attempt("a", attempt=2, version="v1")],
            Join(),
            id="retried on stable: the final attempt counts",
        ),
        pytest.param(
            [an_entry("a", version="v2")],
            [an_attempt("a", version="v2"), an_attempt("a", attempt=2, version="v1")],
            Join(version_mismatches=("a",)),
            id="header of the first attempt",
        ),
        pytest.param(
            [an_entry("a", version=None)],
            [an_attempt("a")],
            Join(version_mismatches=("a",)),
            id="no header",
        ),
        pytest.param([], [an_attempt("b")], Join(), id="rows of others do not matter"),
    ],
)
def test_join(entries, rows, expected):
    assert join_log(entries, rows) == expected


WINDOW = RisingWindow(version="v2", begin=10, end=100)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param([an_entry("a", sent=20, version="v2")], [], id="one answer"),
        pytest.param(
            [an_entry("a", sent=20), an_entry("b", sent=30, version="v2")],
            [],
            id="stable to candidate",
        ),
        pytest.param(
            [an_entry("a", sent=20, version="v2"), an_entry("b", sent=30)],
            ["b"],
            id="candidate to stable",
        ),
        pytest.param(
            [an_entry("b", sent=30), an_entry("a", sent=20, version="v2")],
            ["b"],
            id="booked out of order",
        ),
        pytest.param(
            [an_entry("a", sent=20, version="v2"), an_entry("b", sent=20.05)],
            [],
            id="sent before the candidate's first byte",
        ),
        pytest.param(
            [an_entry("a", sent=20, version="v2"), an_entry("b", sent=99.9)],
            [],
            id="answered after the window closed",
        ),
        pytest.param(
            [an_entry("a", sent=5, version="v2"), an_entry("b", sent=30)],
            [],
            id="seen before the window opened",
        ),
        pytest.param(
            [
                an_entry("a", sent=20, version="v2"),
                an_entry("b", sent=30, conversation="another"),
            ],
            [],
            id="two conversations",
        ),
        pytest.param(
            [an_entry("a", sent=20, version="v2"), an_entry("b", sent=30, version=None)],
            [],
            id="no answer is no version",
        ),
        pytest.param(
            [
                an_entry("a", sent=20, version="v2"),
                an_entry("b", sent=30),
                an_entry("c", sent=40),
            ],
            ["b", "c"],
            id="each request counts",
        ),
    ],
)
def test_sticky(entries, expected):
    found = sticky_violations(entries, [WINDOW])
    assert [violation.request_id for violation in found] == expected
    assert all(violation.window == WINDOW for violation in found)


def test_an_open_window_never_closes():
    window = RisingWindow(version="v2", begin=10, end=math.inf)
    entries = [an_entry("a", sent=20, version="v2"), an_entry("b", sent=1e9)]
    assert len(sticky_violations(entries, [window])) == 1


def test_lines_come_back_and_a_torn_last_line_is_left_out(tmp_path):
    entries = [an_entry("a", first_byte=None), an_entry("b", ok=False, why="empty")]
    path = tmp_path / "ledger.jsonl"
    path.write_text("".join(entry.line() for entry in entries) + an_entry("c").line()[:-9])
    assert read_ledger(path) == entries
    assert read_ledger(tmp_path / "none.jsonl") == []


def test_unknown_fields_of_a_newer_ledger_are_ignored():
    line = an_entry("a").line().replace("{", '{"new":1,', 1)
    assert parse_entries([line]) == [an_entry("a")]


def test_repeated_ids():
    assert repeated_ids([an_entry("a"), an_entry("b"), an_entry("a")]) == ("a",)
