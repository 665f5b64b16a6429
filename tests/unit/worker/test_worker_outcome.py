"""What becomes of a job, as a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_worker.errors import AttemptFailed, Hopeless, TryLater
from slipway_worker.outcome import Again, GivenUp, Patience

PATIENCE = Patience(max_attempts=3, first_delay=1.0, delay_limit=10.0, patience=100.0)


@pytest.mark.parametrize(
    ("error", "attempts", "age", "wanted"),
    [
        (AttemptFailed("x"), 0, 0, Again(delay=0.75, counts=True, reason="AttemptFailed: x")),
        (AttemptFailed("x"), 1, 0, Again(delay=1.5, counts=True, reason="AttemptFailed: x")),
        (AttemptFailed("x"), 2, 0, GivenUp(reason="failed 3 times; the last: AttemptFailed: x")),
        (KeyError("x"), 0, 999, Again(delay=0.75, counts=True, reason="KeyError: 'x'")),
        (TimeoutError(), 0, 0, Again(delay=0.75, counts=True, reason="TimeoutError: ")),
        (TryLater("x", after=4), 2, 0, Again(delay=6.0, counts=False, reason="TryLater: x")),
        (TryLater("x"), 99, 0, Again(delay=1.5, counts=False, reason="TryLater: x")),
        (TryLater("x", after=9e9), 0, 0, Again(delay=15.0, counts=False, reason="TryLater: x")),
        (TryLater("x"), 0, 101, GivenUp(reason="refused for 101 s: x")),
        (Hopeless("x", told="y"), 0, 0, GivenUp(reason="x", told="y")),
    ],
)
def test_judge(error: Exception, attempts: int, age: float, wanted: object) -> None:
    assert PATIENCE.judge(error, attempts=attempts, age=age, luck=0.5) == wanted


@given(attempts=st.integers(0, 10_000), luck=st.floats(0, 1, exclude_max=True))
def test_backoff_stays_between_half_and_the_limit(attempts: int, luck: float) -> None:
    assert 0.5 <= PATIENCE.backoff(attempts, luck=luck) <= PATIENCE.delay_limit


@pytest.mark.parametrize(("deaths", "runs"), [(0, True), (3, True), (4, False), (9, False)])
def test_deaths_are_endured_longer_than_it_takes_to_suspect(deaths: int, runs: bool) -> None:
    forlorn = Patience(max_attempts=1).forlorn(deaths)
    assert (forlorn is None) == runs
    assert forlorn is None or not forlorn.ran
