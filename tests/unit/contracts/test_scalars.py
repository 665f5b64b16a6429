"""Durations and names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from slipway_contracts.base import Duration, Name, format_duration, parse_duration, utc

MILLISECONDS = st.integers(min_value=0, max_value=10**11)


@given(MILLISECONDS)
def test_a_duration_survives_text(milliseconds: int) -> None:
    value = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(value)) == value


@given(MILLISECONDS)
def test_formatting_is_canonical(milliseconds: int) -> None:
    text = format_duration(timedelta(milliseconds=milliseconds))
    assert format_duration(parse_duration(text)) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1h30m", 5400), ("250ms", 0.25), ("0s", 0), ("90m", 5400), ("1h1s", 3601)],
)
def test_reads(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "1", "1.5h", "-1s", "1d", "s", "1s1h", " 1s", "1 s", 5, None])
def test_refuses_and_shows_the_form(text: object) -> None:
    with pytest.raises(ValueError, match="write it like '90s'"):
        parse_duration(text)


def test_a_timedelta_passes() -> None:
    assert parse_duration(timedelta(seconds=3)) == timedelta(seconds=3)


@given(st.text(max_size=12))
def test_no_text_crashes(text: str) -> None:
    adapter = TypeAdapter(Duration)
    try:
        value = adapter.validate_python(text)
    except ValidationError:
        return
    assert parse_duration(format_duration(value)) == value


@pytest.mark.parametrize("text", ["a", "a-b", "0", "a" * 63, "x1-2"])
def test_names_that_are_dns_labels(text: str) -> None:
    assert TypeAdapter(Name).validate_python(text) == text


@pytest.mark.parametrize("text", ["", "-a", "a-", "A", "a_b", "a.b", "a" * 64, "a\n", "ü"])
def test_names_that_are_not(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(text)


def test_utc_is_aware() -> None:
    assert utc(0) == datetime(1970, 1, 1, tzinfo=UTC)
