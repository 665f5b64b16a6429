"""The circuit breaker: when it opens, who probes, and what old news may not do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_gateway.overload.breaker import BreakerRule, Breakers, Circuit

RULE = BreakerRule(
    in_a_row=3, rate=0.5, samples=10, window=10, open_for=1, open_at_most=8, probe_for=5
)


def opened(at: float = 0.0) -> Breakers:
    """v1 is open since ``at``."""
    breakers = Breakers(RULE)
    for _ in range(3):
        breakers.failed("v1", at)
    return breakers


def test_unknown_and_healthy_backends_are_allowed():
    breakers = Breakers(RULE)
    assert breakers.allows("v1", 0)
    breakers.succeeded("v1", 0)
    assert breakers.allows("v1", 1)
    assert breakers.retry_after("v1", 1) == 0
    assert breakers.state("v1", 1) is Circuit.CLOSED


def test_failures_in_a_row_open_it_and_a_success_between_does_not_count_as_one():
    breakers = Breakers(RULE)
    for outcome in (False, False, True, False, False):
        (breakers.succeeded if outcome else breakers.failed)("v1", 0)
    assert breakers.allows("v1", 0)
    breakers.failed("v1", 0)
    assert not breakers.allows("v1", 0)
    assert breakers.allows("v2", 0)
    assert breakers.state("v1", 0.5) is Circuit.OPEN


def test_a_rate_opens_it_too():
    breakers = Breakers(RULE)
    for number in range(9):
        (breakers.failed if number % 2 else breakers.succeeded)("v1", 0)
    assert breakers.allows("v1", 0)
    breakers.failed("v1", 0)
    assert not breakers.allows("v1", 0)


def test_errors_of_a_living_backend_count_by_their_share_only():
    breakers = Breakers(RULE)
    for _ in range(9):
        breakers.failed("v1", 0, alive=True)
    assert breakers.allows("v1", 0)
    breakers.failed("v1", 0, alive=True)
    assert not breakers.allows("v1", 0)


def test_what_is_older_than_the_window_is_forgotten():
    breakers = Breakers(RULE)
    for number in range(9):
        (breakers.failed if number % 2 else breakers.succeeded)("v1", 0)
    breakers.succeeded("v1", 20)
    for _ in range(2):
        breakers.failed("v1", 20)
    assert breakers.allows("v1", 20)


def test_asking_takes_the_one_probe_and_its_success_closes():
    breakers = opened()
    assert not breakers.allows("v1", 0.9)
    assert breakers.retry_after("v1", 0.25) == 0.75
    assert breakers.state("v1", 1.0) is Circuit.HALF_OPEN
    assert breakers.allows("v1", 1.0)
    assert not breakers.allows("v1", 1.0)
    assert 0 < breakers.retry_after("v1", 1.1) <= 1
    breakers.succeeded("v1", 1.2)
    assert breakers.allows("v1", 1.2)
    assert breakers.allows("v1", 1.2)


def test_every_failed_probe_doubles_the_wait_up_to_its_bound():
    breakers, now = opened(), 0.0
    for wait in (1, 2, 4, 8, 8):
        assert breakers.retry_after("v1", now) == wait
        now += wait
        assert breakers.allows("v1", now)
        breakers.failed("v1", now)


def test_opening_again_soon_waits_longer_and_later_as_at_first():
    def after(pause: float) -> float:
        breakers = opened()
        assert breakers.allows("v1", 1)
        breakers.succeeded("v1", 1)
        for _ in range(3):
            breakers.failed("v1", 1 + pause)
        return breakers.retry_after("v1", 1 + pause)

    assert after(5) == 2
    assert after(50) == 1


def test_late_outcomes_of_older_requests_change_nothing():
    breakers = opened()
    breakers.succeeded("v1", 0.5)
    breakers.failed("v1", 0.6)
    assert breakers.retry_after("v1", 0.6) == pytest.approx(0.4)
    assert breakers.allows("v1", 1)
    breakers.failed("v1", 1.5, began=0)
    breakers.succeeded("v1", 1.5, began=0)
    assert not breakers.allows("v1", 1.6)
    breakers.succeeded("v1", 1.7, began=1)
    assert breakers.allows("v1", 1.7)


def test_a_probe_without_an_outcome_is_taken_anew():
    breakers = opened()
    assert breakers.allows("v1", 1)
    breakers.abandoned("v1", began=0)
    assert not breakers.allows("v1", 1)
    breakers.abandoned("v1", began=1)
    assert breakers.allows("v1", 1)
    assert not breakers.allows("v1", 5.9)
    assert breakers.allows("v1", 6)


def test_forgets_what_does_not_exist():
    breakers = opened()
    breakers.succeeded("v2", 0)
    breakers.forget({"v2"})
    assert breakers.allows("v1", 0)
    breakers.abandoned("v1")


@given(st.lists(st.tuples(st.sampled_from("asfx"), st.floats(0, 3)), max_size=200))
def test_one_probe_at_a_time_and_never_locked_for_good(steps):
    breakers, now, free_at = opened(), 0.0, 0.0
    for what, pause in steps:
        now += pause
        closed = breakers.state("v1", now) is Circuit.CLOSED
        if what == "a":
            allowed = breakers.allows("v1", now)
            if not closed and allowed:
                assert now >= free_at
                free_at = now + RULE.probe_for
        else:
            free_at = 0.0
            report = {"s": breakers.succeeded, "f": breakers.failed}.get(what)
            report("v1", now) if report else breakers.abandoned("v1")
        assert 0 <= breakers.retry_after("v1", now) <= RULE.open_at_most
    assert breakers.allows("v1", now + RULE.open_at_most + RULE.probe_for)
