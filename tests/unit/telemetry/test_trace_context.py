"""W3C Trace Context as its specification tells it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_telemetry.trace import CURRENT, TraceContext, ids_now, read_state, read_trace

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"
HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
TRACES = HEX.filter(lambda text: set(text) != {"0"})
SPANS = TRACES.map(lambda text: text[:16]).filter(lambda text: set(text) != {"0"})


def test_the_example_of_the_specification() -> None:
    found = read_trace(GOOD, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")
    assert found == TraceContext(
        trace_id=TRACE,
        span_id=SPAN,
        sampled=True,
        state="rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
    )
    assert found.headers() == {"traceparent": GOOD, "tracestate": found.state}


@given(TRACES, SPANS, st.booleans())
def test_what_is_written_is_read(trace: str, span: str, sampled: bool) -> None:
    context = TraceContext(trace_id=trace, span_id=span, sampled=sampled)
    assert read_trace(context.parent_header()) == context
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", context.parent_header())


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "",
        "00",
        GOOD.upper(),
        GOOD[:-1],
        GOOD + "0",
        GOOD + "-more",
        GOOD.replace("00-", "ff-", 1),
        GOOD.replace("00-", "0-", 1),
        GOOD.replace(TRACE, "0" * 32),
        GOOD.replace(SPAN, "0" * 16),
        GOOD.replace(TRACE, TRACE[:-1] + "g"),
        GOOD.replace("-", "_"),
        GOOD + "\n",
        f"{GOOD},{GOOD}",
        "٠" * 2 + GOOD[2:],
    ],
)
def test_a_bad_parent_is_none(bad: str | None) -> None:
    assert read_trace(bad, "a=1") is None


@pytest.mark.parametrize("later", ["01" + GOOD[2:], "cc" + GOOD[2:] + "-what-the-future-holds"])
def test_a_later_version_is_read_by_what_is_known_of_it(later: str) -> None:
    found = read_trace(later)
    assert found is not None
    assert found.parent_header() == GOOD


def test_spaces_around_it_are_not_part_of_it() -> None:
    assert read_trace(f" {GOOD}\t") is not None


@pytest.mark.parametrize(
    ("flags", "sampled"), [("00", False), ("02", False), ("03", True), ("ff", True)]
)
def test_only_the_sampled_flag_is_known(flags: str, sampled: bool) -> None:
    found = read_trace(GOOD[:-2] + flags)
    assert found is not None
    assert found.sampled is sampled
    assert found.parent_header().endswith("01" if sampled else "00")


@pytest.mark.parametrize(
    ("state", "read"),
    [
        ("a=1", "a=1"),
        (" a=1 , ,b@x=2 ", "a=1,b@x=2"),
        ("0tenant@vendor=x y", "0tenant@vendor=x y"),
        ("", ""),
        (None, ""),
        ("a=1,a=2", ""),
        ("A=1", ""),
        ("a", ""),
        ("a=", ""),
        ("a=b=c", ""),
        ("a=é", ""),
        ("a=1\r\nx: y", ""),
        (",".join(f"k{n}=v" for n in range(33)), ""),
        (",".join(f"k{n}=v" for n in range(32)), ",".join(f"k{n}=v" for n in range(32))),
        ("a=" + "x" * 257, ""),
    ],
)
def test_states(state: str | None, read: str) -> None:
    assert read_state(state) == read


@given(st.text(), st.text())
def test_nothing_makes_it_fail_and_nothing_else_comes_out(parent: str, state: str) -> None:
    found = read_trace(parent, state)
    assert found is None or not set("\r\n") & set("".join(found.headers().values()))
    kept = read_state(state)
    assert read_state(kept) == kept
    assert kept.isascii()


def test_the_current_one_gives_the_ids() -> None:
    assert ids_now() is None
    token = CURRENT.set(read_trace(GOOD))
    try:
        assert ids_now() == (TRACE, SPAN)
    finally:
        CURRENT.reset(token)
