"""A batch's input file: what is read, what is refused, with which line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_worker import batch_file
from slipway_worker.batch_file import BatchReader

CHAT = "/v1/chat/completions"
DEEP: Any = json.loads("[" * 300 + "]" * 300)
GOOD: dict[str, Any] = {"custom_id": "a", "method": "POST", "url": CHAT, "body": {"model": "m"}}


def read_pieces(pieces: Any, *, models: tuple[str, ...] = (), line_limit: int = 10_000) -> Any:
    """(lines, errors) as whoever feeds them gets them; a refused file has no lines."""
    reader = BatchReader(endpoint=CHAT, models=models, line_limit=line_limit)
    lines = [line for piece in pieces for line in reader.feed(piece)]
    lines += reader.finish()
    return ([] if reader.errors else lines), reader.errors


def read(*lines: Any, models: tuple[str, ...] = ()) -> Any:
    content = b"\n".join(x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines)
    return read_pieces([content], models=models)


def test_empty_lines_count_and_carry_nothing() -> None:
    lines, errors = read(b"", GOOD, b"  ", GOOD | {"custom_id": "b"}, b"")
    assert errors == []
    assert [(one.line, one.custom_id) for one in lines] == [(2, "a"), (4, "b")]
    assert json.loads(lines[0].request) == {"model": "m"}


@pytest.mark.parametrize(
    ("wrong", "code", "param"),
    [
        (b"{", "invalid_json_line", None),
        (b"[]", "invalid_json_line", None),
        (b"\xff", "invalid_json_line", None),
        (GOOD | {"custom_id": 1}, "missing_required_parameter", "custom_id"),
        (GOOD | {"custom_id": "x" * 513}, "missing_required_parameter", "custom_id"),
        (GOOD | {"method": "post"}, "invalid_method", "method"),
        (GOOD | {"url": "/v1/models"}, "invalid_url", "url"),
        (GOOD | {"body": []}, "missing_required_parameter", "body"),
        (GOOD | {"body": {"model": ""}}, "missing_required_parameter", "body.model"),
        (GOOD | {"body": {"model": "other"}}, "model_not_allowed", "body.model"),
        (GOOD | {"body": {"model": "m", "stream": True}}, "invalid_parameter", "body.stream"),
        (GOOD | {"body": {"model": "m", "a": DEEP}}, "invalid_parameter", "body"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(wrong: Any, code: str, param: str | None) -> None:
    lines, errors = read(GOOD | {"custom_id": "first"}, wrong, models=("m",))
    assert lines == []
    [error] = errors
    assert (error.code, error.param, error.line) == (code, param, 2)


def test_errors_and_lines_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(read(*[b"{"] * 1000)[1]) == batch_file.ERRORS_LIMIT
    monkeypatch.setattr(batch_file, "LINES_LIMIT", 2)
    assert read(*(GOOD | {"custom_id": str(n)} for n in range(2)))[1] == []
    [error] = read(*(GOOD | {"custom_id": str(n)} for n in range(3)))[1]
    assert error.code == "too_many_requests"


def test_a_line_over_its_limit_is_refused_without_being_held() -> None:
    reader = BatchReader(endpoint=CHAT, models=(), line_limit=1000)
    for _ in range(100):
        assert reader.feed(b"x" * 999) == []
        assert len(reader._rest) <= 1000
    good = json.dumps(GOOD).encode()
    reader.feed(b"\n" + good + b"\n{\n")
    assert reader.finish() == []
    assert [(error.code, error.line) for error in reader.errors] == [
        ("line_too_large", 1), ("invalid_json_line", 3),
    ]  # fmt: skip


def test_what_comes_after_the_last_error_is_not_read() -> None:
    reader = BatchReader(endpoint=CHAT, models=(), line_limit=1000)
    reader.feed(b"{\n" * 1000)
    assert reader.is_done
    assert reader.finish() == []
    assert len(reader.errors) == batch_file.ERRORS_LIMIT


_LINES = st.lists(
    st.sampled_from([b"", b" ", b"{", b"x" * 300])
    | st.integers(0, 5).map(lambda n: json.dumps(GOOD | {"custom_id": str(n)}).encode()),
    max_size=8,
)


@given(_LINES, st.lists(st.integers(1, 200), max_size=20))
def test_pieces_may_end_anywhere(lines: list[bytes], sizes: list[int]) -> None:
    content = b"\n".join(lines)
    pieces, at = [], 0
    for size in sizes:
        pieces.append(content[at : at + size])
        at += size
    pieces.append(content[at:])
    assert read_pieces(pieces, line_limit=250) == read_pieces([content], line_limit=250)


@given(st.binary(max_size=400))
def test_any_bytes_are_judged(content: bytes) -> None:
    lines, errors = read_pieces([content])
    assert bool(lines) != bool(errors)
