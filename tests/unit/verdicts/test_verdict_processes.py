"""Each e-process on its own: expectation ≤ 1 under its null, and what it must and must not see."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_verdicts import absolute, ratio, restarted
from slipway_verdicts.grid import GRID, log_mean_exp

RATES = st.floats(min_value=0.0, max_value=1.0)


def arms(n, bad):
    return np.array(float(n)), np.array(float(bad))


def poisson_binomial(rates):
    """Distribution of the number of bad events among independent unequal requests."""
    law = np.array([1.0])
    for p in rates:
        law = np.convolve(law, [1 - p, p])
    return law


def expected_ratio(candidate, stable, *, null, alternatives):
    """E[likelihood ratio] by enumeration, one entry an alternative."""
    total = np.zeros(len(alternatives))
    laws = poisson_binomial(candidate), poisson_binomial(stable)
    for (bc, pc), (bs, ps) in itertools.product(*(enumerate(law) for law in laws)):
        log = ratio.increments(
            arms(len(candidate), bc), arms(len(stable), bs), null=null, alternatives=alternatives
        )
        total += pc * ps * np.exp(log)
    return total


@given(
    stable=st.lists(RATES, min_size=1, max_size=5),
    candidate=st.lists(RATES, min_size=1, max_size=5),
    null=st.sampled_from([1.0, 1.25, 2.0]),
)
def test_ratio_fail_is_an_e_value_for_unequal_and_frequent_events(stable, candidate, null):
    allowed = null * np.mean(stable)
    if np.mean(candidate) > allowed:
        candidate = [p * allowed / np.mean(candidate) for p in candidate]
    null, alternatives = ratio.worse_than(null)
    expected = expected_ratio(candidate, stable, null=null, alternatives=alternatives)
    assert (expected <= 1 + 1e-9).all()


@given(
    stable=st.lists(RATES, min_size=1, max_size=5),
    candidate=st.lists(RATES, min_size=1, max_size=5),
)
def test_ratio_pass_is_an_e_value(stable, candidate):
    needed = np.mean(candidate) / 2
    if np.mean(stable) > needed:
        stable = [p * needed / np.mean(stable) for p in stable]
    null, alternatives = ratio.better_than()
    expected = expected_ratio(candidate, stable, null=null, alternatives=alternatives)
    assert (expected <= 1 + 1e-9).all()


@given(p=RATES, bound=st.floats(min_value=0.001, max_value=0.5), n=st.integers(1, 12))
def test_absolute_is_an_e_value_on_both_sides(p, bound, n):
    for side, rate in ((absolute.above, p * bound), (absolute.below, bound + p * (1 - bound))):
        null, alternatives = side(bound)
        law = poisson_binomial([rate] * n)
        expected = sum(
            weight * np.exp(absolute.increments(arms(n, bad), null=null, alternatives=alternatives))
            for bad, weight in enumerate(law)
        )
        assert (expected <= 1 + 1e-9).all()


@pytest.mark.parametrize("bound", [0.0, 1.0])
def test_absolute_bounds_at_the_edges_stay_finite(bound):
    for null, alternatives in (absolute.above(bound), absolute.below(bound)):
        assert 0 < null < 1
        log = absolute.increments(arms(10, 5), null=null, alternatives=alternatives)
        assert np.isfinite(log).all()


@pytest.mark.parametrize(
    ("candidate", "stable"),
    [((0, 0), (0, 0)), ((10, 0), (90, 0)), ((10, 7), (0, 0)), ((0, 0), (90, 40))],
    ids=["nothing", "all good", "no stable arm", "no candidate arm"],
)
def test_ratio_says_nothing_without_two_arms_and_a_bad_event(candidate, stable):
    null, alternatives = ratio.worse_than(1.25)
    log = ratio.increments(arms(*candidate), arms(*stable), null=null, alternatives=alternatives)
    assert log == pytest.approx(np.zeros(GRID.size))


@pytest.mark.parametrize("rate", [0.4, 1.0])
def test_an_outage_of_both_arms_moves_nothing_towards_fail(rate):
    null, alternatives = ratio.worse_than(1.25)
    log = ratio.increments(
        arms(100, 100 * rate), arms(900, 900 * rate), null=null, alternatives=alternatives
    )
    assert (log < 0).all()


def naive_mixture(increments, minutes):
    """The definition, process by process: M = Σ E⁽ᵏ⁾ / (k (k + 1)), unstarted ones at 1."""
    path = []
    for t in range(len(increments)):
        total = 1.0
        for k in range(1, int(minutes[t]) + 2):
            begun = increments[: t + 1][minutes[: t + 1] >= k - 1].sum(axis=0)
            total += (np.exp(begun).mean() - 1) / (k * (k + 1))
        path.append(math.log(total))
    return path


def test_restarted_mixture_equals_its_definition_with_gaps_between_ticks():
    rng = np.random.default_rng(5)
    increments = rng.normal(0, 0.5, (60, GRID.size))
    ticks = np.sort(rng.choice(140, 60, replace=False))
    minutes = restarted.minutes_of(ticks, first=int(ticks[0]))
    assert restarted.mixture_path(increments, minutes) == pytest.approx(
        naive_mixture(increments, minutes)
    )


def test_restarted_mixture_is_an_e_process_by_enumeration():
    """All 2^6 courses of six requests in three minutes, at the null's edge."""
    null, alternatives = absolute.above(0.3)
    minutes = np.array([0, 0, 1, 1, 2, 2])
    for looks in range(1, 7):
        expected = 0.0
        for course in itertools.product([0.0, 1.0], repeat=looks):
            bad = np.array(course)
            log = absolute.increments((np.ones(looks), bad), null=null, alternatives=alternatives)
            chance = np.prod(np.where(bad > 0, null, 1 - null))
            expected += chance * math.exp(restarted.mixture_path(log, minutes[:looks])[-1])
        assert expected <= 1 + 1e-9


def test_mixture_handles_many_rollouts_at_once():
    rng = np.random.default_rng(6)
    increments = rng.normal(0, 0.5, (30, 2, 3, GRID.size))
    minutes = np.arange(30) // 12
    together = restarted.mixture_path(increments, minutes)
    assert together.shape == (30, 2, 3)
    assert together[:, 1, 2] == pytest.approx(restarted.mixture_path(increments[:, 1, 2], minutes))


def test_a_good_past_does_not_pay_for_a_bad_present():
    hour, minute = 720, 12
    n = np.full(hour + minute, 10.0)
    bad = np.concatenate((np.zeros(hour), np.full(minute, 2.0)))
    null, alternatives = absolute.above(0.01)
    log = absolute.increments((n, bad), null=null, alternatives=alternatives)
    plain = log_mean_exp(np.cumsum(log, axis=0))
    mixed = restarted.mixture_path(log, np.arange(hour + minute) // 12)
    limit = math.log(100)
    assert mixed[-1] > limit > plain[-1]


def test_average_of_paths_is_not_an_average_of_logs():
    logs = np.array([-1000.0, 0.0, 700.0])
    assert log_mean_exp(logs) == pytest.approx(700 - math.log(3))
