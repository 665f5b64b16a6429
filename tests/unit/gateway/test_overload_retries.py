"""The retry budget: a share of the requests, and a little for a quiet gateway."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slipway_gateway.overload.retries import RetryBudget, RetryRule


def spend_all(budget: RetryBudget, now: float) -> int:
    """How many retries are there."""
    count = 0
    while budget.spend(now):
        count += 1
    return count


def test_a_quiet_gateway_may_retry():
    budget = RetryBudget(RetryRule(share=0.2, per_second=1, burst=3))
    assert spend_all(budget, 0) == 3
    assert not budget.spend(0.5)
    assert budget.spend(1.0)
    assert spend_all(budget, 100) == 3


def test_a_fifth_of_the_requests():
    budget = RetryBudget(RetryRule(share=0.2, per_second=0, burst=50))
    spend_all(budget, 0)
    for _ in range(100):
        budget.requested()
    assert spend_all(budget, 0) == 20


def test_a_clock_that_stands_or_steps_back_brings_nothing():
    budget = RetryBudget(RetryRule(burst=1))
    assert budget.spend(10)
    assert not budget.spend(10)
    assert not budget.spend(5)
    assert not budget.spend(10.5)
    assert budget.spend(11)


@given(
    st.floats(0, 1),
    st.floats(0, 5),
    st.integers(1, 30),
    st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=300),
)
def test_never_more_than_its_bound(share, per_second, burst, steps):
    budget = RetryBudget(RetryRule(share=share, per_second=per_second, burst=burst))
    now, retries = 0.0, int(budget.spend(0))
    for requests, (asks, pause) in enumerate(steps, start=1):
        now += pause
        budget.requested()
        retries += asks and budget.spend(now)
        assert retries <= share * requests + per_second * now + burst + 1e-6
