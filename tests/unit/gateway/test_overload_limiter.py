"""The adaptive limit: what cuts it, what does not, and how it comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_gateway.overload.limiter import AdaptiveLimits, LimitRule

RULE = LimitRule(start=256, least=16, most=512, latency_floor=64, window=1.0, samples=20)


def windows(limits: AdaptiveLimits, start: int, count: int, *, first_byte: float, busy: int) -> int:
    """``count`` windows of answers from second ``start`` on; the limit after them."""
    for second in range(start, start + count):
        limits.tick("v1", float(second), busy)
        for _ in range(30):
            limits.answered("v1", first_byte, busy)
    return limits.tick("v1", float(start + count), busy)


def test_starts_generous_and_unused_it_stays():
    limits = AdaptiveLimits(RULE)
    assert limits.limit("v1") == 256
    assert windows(limits, 0, 50, first_byte=0.1, busy=10) == 256


def test_a_slow_engine_is_not_a_loaded_one():
    """30 s to the first byte, always, and nearly all places taken: nothing is cut."""
    limits = AdaptiveLimits(RULE)
    assert windows(limits, 0, 50, first_byte=30.0, busy=250) >= 256


def test_a_late_first_byte_counts_only_where_the_limit_is_in_use():
    limits = AdaptiveLimits(RULE)
    windows(limits, 0, 10, first_byte=0.1, busy=200)
    grown = limits.limit("v1")
    assert windows(limits, 10, 5, first_byte=5.0, busy=20) == grown
    assert windows(limits, 15, 5, first_byte=5.0, busy=grown) < grown


def test_latency_alone_never_goes_below_its_floor():
    limits = AdaptiveLimits(RULE)
    windows(limits, 0, 3, first_byte=0.1, busy=150)
    for second in range(3, 40):
        limit = windows(limits, second, 1, first_byte=10.0, busy=limits.limit("v1"))
        assert limit >= 64
    assert limit == 64


def test_small_absolute_rises_cut_nothing():
    limits = AdaptiveLimits(RULE)
    windows(limits, 0, 3, first_byte=0.002, busy=200)
    grown = limits.limit("v1")
    assert windows(limits, 3, 10, first_byte=0.1, busy=512) == grown > 256


def test_beyond_its_start_it_grows_only_while_first_bytes_are_on_time():
    limits = AdaptiveLimits(RULE)
    assert windows(limits, 0, 20, first_byte=0.1, busy=512) == 512
    other = AdaptiveLimits(RULE)
    windows(other, 0, 3, first_byte=0.1, busy=20)
    assert windows(other, 3, 20, first_byte=0.2, busy=256) == 256


def test_an_engine_with_few_answers_grows_too_when_it_has_shown_enough():
    limits = AdaptiveLimits(RULE)
    for second in range(60):
        for _ in range(3):
            limits.answered("v1", 0.1, 256)
        limits.tick("v1", float(second), 256)
    assert limits.limit("v1") > 256


@pytest.mark.parametrize("places", [80, 150, 400])
def test_finds_the_places_of_an_engine_that_queues_inside(places):
    """Answers of 2 s; what is beyond its places waits inside, before its first byte."""
    limits = AdaptiveLimits(LimitRule(start=1024, most=4096))
    seen = []
    for second in range(600):
        limit = limits.limit("v1")
        offered = 20 if second < 5 else 10_000
        busy = min(limit, offered)
        first_byte = 0.05 + max(0, busy - places) / (places / 2.0)
        for _ in range(30):
            limits.answered("v1", first_byte, busy)
        limits.tick("v1", float(second), busy)
        if second > 60:
            seen.append(busy)
    used = [min(busy, places) for busy in seen]
    assert sum(used) >= 0.97 * places * len(used)
    assert max(seen) <= 1.3 * places


def test_a_refusal_cuts_below_what_is_in_flight_once_a_window():
    limits = AdaptiveLimits(RULE)
    assert limits.refused("v1", 0.0, busy=100) == 90
    assert limits.refused("v1", 0.5, busy=90) == 90
    assert limits.refused("v1", 1.5, busy=90) == 81
    for second in range(2, 60):
        assert limits.refused("v1", second, busy=17) >= 16


def test_a_refusal_with_nothing_in_flight_is_the_breakers_business():
    assert AdaptiveLimits(RULE).refused("v1", 0.0, busy=1) == 256


def test_it_comes_back_within_half_a_minute_even_without_first_bytes():
    limits = AdaptiveLimits(RULE)
    for second in range(30):
        limits.refused("v1", second, busy=limits.limit("v1"))
    assert limits.limit("v1") < 32
    for second in range(31, 61):
        limits.tick("v1", second, limits.limit("v1"))
    assert limits.limit("v1") >= 256


def test_what_lasts_becomes_the_new_normal():
    """Prompts have become longer for good: the first byte takes 8 times as long."""
    limits = AdaptiveLimits(RULE)
    windows(limits, 0, 5, first_byte=0.2, busy=200)
    windows(limits, 5, 10, first_byte=1.6, busy=512)
    assert limits.limit("v1") < 256
    for second in range(15, 120):
        windows(limits, second, 1, first_byte=1.6, busy=limits.limit("v1"))
    assert limits.limit("v1") == 256


def test_forgets_what_does_not_exist():
    limits = AdaptiveLimits(RULE)
    limits.refused("v1", 0, busy=100)
    limits.forget(())
    assert limits.limit("v1") == 256


def test_finds_the_capacity_of_an_engine_that_refuses_above_it():
    """An engine with 100 places, asked for 3 times as much: the limit stays about there."""
    limits = AdaptiveLimits(RULE)
    seen = []
    for tenth in range(600):
        now = tenth / 10
        limit = limits.limit("v1")
        for _ in range(10):
            limits.answered("v1", 0.1, min(limit, 100))
        if limit > 100:
            limits.refused("v1", now, busy=limit)
        limits.tick("v1", now, min(limit, 100))
        if now > 20:
            seen.append(limits.limit("v1"))
    assert 85 <= sum(seen) / len(seen) <= 115
    assert min(seen) >= 75


@given(
    st.lists(
        st.tuples(st.sampled_from("art"), st.floats(0, 30), st.integers(0, 600), st.floats(0, 2)),
        max_size=300,
    )
)
def test_always_within_its_bounds(steps):
    limits, now = AdaptiveLimits(RULE), 0.0
    for what, first_byte, busy, pause in steps:
        now += pause
        if what == "a":
            limits.answered("v1", first_byte, busy)
        elif what == "r":
            limits.refused("v1", now, busy)
        else:
            limits.tick("v1", now, busy)
        assert 16 <= limits.limit("v1") <= 512
