"""The ladder's and the guard's tables."""

from __future__ import annotations

import numpy as np
import pytest
from verdict_ticks import a_tick, run_of

from slipway_verdicts import guard
from slipway_verdicts.ladder import auto_ladder, betas_for
from slipway_verdicts.series import collect


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (500, [(5, 0.5), (10, 0.3), (25, 0.2), (50, 0.05)]),
        (20, [(5, 0.5), (10, 0.3), (25, 0.2), (50, 0.05)]),
        (19.9, [(10, 0.5), (25, 0.3), (50, 0.05)]),
        (5, [(10, 0.5), (25, 0.3), (50, 0.05)]),
        (4.9, [(20, 0.4), (50, 0.05)]),
        (0, [(20, 0.4), (50, 0.05)]),
    ],
)
def test_auto_ladder(rate, expected):
    assert [(rung.weight, rung.beta) for rung in auto_ladder(rate)] == expected
    weights = tuple(weight for weight, _ in expected)
    assert betas_for(weights) == tuple(beta for _, beta in expected)


@pytest.mark.parametrize(
    ("weights", "betas"),
    [
        ((), ()),
        ((10, 50), (0.3, 0.05)),
        ((1, 5, 7, 80), (0.5, 0.5, 0.42, 0.05)),
        ((10,), (0.05,)),
        ((30, 60, 90), (0.17, 0.05, 0.05)),
    ],
    ids=["none", "demo", "below and between", "last is always sure", "beyond the ladder"],
)
def test_custom_steps_lie_on_the_line(weights, betas):
    assert betas_for(weights) == pytest.approx(betas)


@pytest.mark.parametrize(
    ("candidate", "stable", "expected"),
    [
        ((20, 10), (100, 9), True),
        ((19, 19), (100, 0), False),
        ((20, 9), (100, 0), False),
        ((20, 20), (100, 10), False),
        ((20, 20), (0, 0), False),
        ((0, 0), (0, 0), False),
        ((30, 15), (1, 0), True),
        ((1, 1), (500, 0), False),
    ],
    ids=[
        "half bad of 20",
        "one request short",
        "less than half",
        "stable is not fine",
        "stable never answered",
        "nothing",
        "30 units, half of them bad",
        "a single request, a 5xx",
    ],
)
def test_guard_table(candidate, stable, expected):
    assert guard.tripped(collect([a_tick(candidate=candidate, stable=stable)])["error"]) is expected
    arrays = [tuple(np.array([float(x)]) for x in side) for side in (candidate, stable)]
    assert guard.trips(*arrays).tolist() == [expected]


def test_guard_adds_up_over_a_step_and_starts_anew_with_the_next():
    first = run_of(30, candidate=(1, 1), stable=(9, 0), step=0)
    assert guard.tripped(collect(first)["error"])
    split = first[:15] + run_of(15, start=15, candidate=(1, 1), stable=(9, 0), step=1)
    assert not guard.tripped(collect(split)["error"])


def test_guard_is_not_paid_for_by_a_good_past():
    good = run_of(600, candidate=(1, 0), stable=(9, 0))
    bad = run_of(40, start=600, candidate=(1, 1), stable=(9, 0))
    assert not guard.tripped(collect(good + bad[:29])["error"])
    assert guard.tripped(collect(good + bad)["error"])


def test_guard_stays_tripped():
    bad = run_of(20, candidate=(1, 1), stable=(9, 0))
    good = run_of(600, start=20, candidate=(1, 0), stable=(9, 0))
    assert guard.tripped(collect(bad + good)["error"])
