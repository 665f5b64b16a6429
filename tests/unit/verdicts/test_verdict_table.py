"""The design's table, from the product's own verdict code, within the table's sampling error.

The table was made of 100 rollouts a row, one metric, without a minimum duration of a step; its
times are medians. Ours come from more rollouts, so the tolerance is that of 100: an exact binomial
band for the odds, the order statistics' band for medians, 3.3 standard errors for means, and half a
unit of the last digit printed.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from slipway_verdicts.plan import AnalysisPlan, default_rules
from slipway_verdicts.simulate import Rates, Rule, SimulationSettings, simulate, table
from slipway_verdicts.traffic import Outage

ROLLOUTS = 1000
THEIRS = 100
Z = 3.3
ONE_METRIC = default_rules()[:1]
SEQ, INT, STEP = Rule.SEQUENTIAL, Rule.INTERVAL, Rule.STEPS
FOUR = (5, 10, 25, 50)


def run(rate, stable, candidate, rule, *, weights=(), rollouts=ROLLOUTS, **more):
    settings = SimulationSettings(
        requests_per_second=rate,
        metrics={"error": Rates(stable=stable, candidate=candidate)},
        plan=AnalysisPlan(rules=ONE_METRIC, weights=weights),
        min_step_seconds=0,
        **more,
    )
    result = simulate(settings, seed=7, rollouts=rollouts, rules=(rule,))
    print(table(result)[0])
    return result.outcomes[rule]


def assert_odds(got, theirs):
    """``theirs`` of 100 must not be a surprise if ours is the truth."""
    ours = float(np.clip(got.mean(), 0.5 / ROLLOUTS, 1 - 0.5 / ROLLOUTS))
    error = math.sqrt(ours * (1 - ours) / THEIRS) + math.sqrt(ours * (1 - ours) / ROLLOUTS)
    assert abs(ours - theirs) <= Z * error + 0.005


def assert_median(got, minutes, *, digit):
    half = Z / 2 / math.sqrt(THEIRS)
    low, high = np.quantile(got / 60, (0.5 - half, 0.5 + half))
    assert low - digit / 2 <= minutes <= high + digit / 2


def assert_mean(got, value):
    error = got.std() * (1 / math.sqrt(THEIRS) + 1 / math.sqrt(ROLLOUTS))
    assert abs(got.mean() - value) <= Z * error + 0.5


@pytest.mark.parametrize(
    ("rate", "stable", "candidate", "rule", "weights", "promoted", "aborted", "minutes", "bad"),
    [
        (20, 0.005, 0.005, SEQ, (), 1.0, 0.0, (4.9, 0.1), None),
        (20, 0.005, 0.005, INT, (), 1.0, 0.0, (5, 1), None),
        (20, 0.005, 0.005, STEP, (), 0.94, 0.06, (20, 1), None),
        (20, 0.02, 0.02, SEQ, (), 1.0, 0.0, (12, 1), None),
        (20, 0.02, 0.02, INT, (), 0.0, 1.0, None, None),
        (20, 0.02, 0.02, STEP, (), 0.0, 1.0, None, None),
        (20, 0.005, 0.10, SEQ, (), 0.0, 1.0, (0.8, 0.1), 5),
        (20, 0.005, 0.10, INT, (), 0.0, 1.0, (5, 1), 57),
        (20, 0.005, 0.10, STEP, (), 0.0, 1.0, (4, 1), 91),
        (200, 0.005, 0.03, SEQ, (), 0.0, 1.0, (0.8, 0.1), 14),
        (200, 0.005, 0.03, INT, (), 0.0, 1.0, None, 150),
        (200, 0.005, 0.03, STEP, (), 0.0, 1.0, None, 241),
        (200, 0.005, 0.50, SEQ, (), 0.0, 1.0, (0.1, 0.1), 25),
        (200, 0.005, 0.50, INT, (), 0.0, 1.0, None, 2972),
        (200, 0.005, 0.50, STEP, (), 0.0, 1.0, None, 4752),
        (2, 0.005, 0.005, SEQ, (), 1.0, 0.0, (13, 1), None),
        (2, 0.005, 0.005, SEQ, FOUR, 0.94, None, (43, 1), None),
        (2, 0.005, 0.005, INT, (), 0.98, None, (6, 1), None),
        (2, 0.005, 0.005, STEP, (), None, 0.58, None, None),
        (2, 0.005, 0.03, SEQ, (), 0.0, 1.0, (20, 1), 15),
        (2, 0.005, 0.03, SEQ, FOUR, 0.0, 0.87, None, None),
        (2, 0.005, 0.03, INT, (), 0.13, None, None, 6),
        (2, 0.005, 0.03, STEP, (), 0.0, 1.0, None, 5),
    ],
)
def test_table(rate, stable, candidate, rule, weights, promoted, aborted, minutes, bad):
    got = run(rate, stable, candidate, rule, weights=weights)
    if promoted is not None:
        assert_odds(got.promoted, promoted)
    if aborted is not None:
        assert_odds(got.aborted, aborted)
    if minutes is not None:
        assert_median(got.end, minutes[0], digit=minutes[1])
    if bad is not None:
        assert_mean(got.excess, bad)


@pytest.mark.parametrize("rate", [2, 20])
@pytest.mark.parametrize("bad", [0.4, 1.0])
def test_a_shared_outage_aborts_nothing(rate, bad):
    outage = Outage(start=30, seconds=60, rate=bad)
    got = run(rate, 0.005, 0.005, SEQ, rollouts=200, outages=(outage,))
    assert got.aborted.sum() == 0
    assert got.promoted.mean() > 0.9


def test_an_outage_of_the_candidate_alone_aborts():
    outage = Outage(start=30, seconds=60, rate=0.4, stable_too=False)
    got = run(20, 0.005, 0.005, SEQ, rollouts=200, outages=(outage,))
    assert got.aborted.mean() > 0.99


@pytest.mark.parametrize("rate", [0.005, 0.03])
def test_one_metric_a_a_is_not_aborted(rate):
    got = run(20, rate, rate, SEQ, rollouts=2000)
    assert got.aborted.mean() <= 0.01 / 2


@pytest.mark.parametrize(
    ("stable", "candidate"), [(0.01, 0.02), (0.02, 0.04), (0.005, 0.02)], ids=str
)
def test_wrong_promotion_at_the_bound_is_at_most_5_per_cent(stable, candidate):
    """Rate at passBound and ratio at 2 or above, at ten times the usual patience."""
    got = run(20, stable, candidate, SEQ, rollouts=300, max_seconds=4 * 3600)
    assert got.promoted.mean() <= 0.05
