"""The two questions of the sequential mode, for one metric: has it failed, has it passed?

Fail looks at the at-risk counts of the whole rollout and is latched; Pass looks at the step's own
uncapped counts. Shared by ``judge`` (whole paths) and by nothing else that keeps state, so a
restart recomputes the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from slipway_verdicts import absolute, ratio
from slipway_verdicts.grid import GRID, Floats, log_mean_exp
from slipway_verdicts.plan import AnalysisPlan, MetricRule
from slipway_verdicts.restarted import minutes_of, mixture_path
from slipway_verdicts.series import Series

_MOST_REQUESTS = 10_000_000


def fail_log_e(series: Series, rule: MetricRule, *, ratio_null: float, first: int) -> float:
    """Highest value so far of the smaller of the two restarted processes (natural log).

    "Worse than stable" and "bad in absolute terms" are both needed, so either null keeps the
    smaller one an e-process. ``first``: the rollout's first tick, from which minutes count.
    """
    minutes = minutes_of(series.tick, first=first)
    candidate = (series.candidate.risk_n, series.candidate.risk_bad)
    stable = (series.stable.risk_n, series.stable.risk_bad)
    null, alternatives = ratio.worse_than(ratio_null)
    worse = ratio.increments(candidate, stable, null=null, alternatives=alternatives)
    smaller = np.minimum(mixture_path(worse, minutes), _absolute_path(series, rule, first=first))
    return float(smaller.max())


def watch_log_e(series: Series, rule: MetricRule, *, first: int) -> float:
    """As ``fail_log_e`` without a stable arm: the absolute process alone."""
    return float(_absolute_path(series, rule, first=first).max())


def _absolute_path(series: Series, rule: MetricRule, *, first: int) -> Floats:
    null, alternatives = absolute.above(rule.floor)
    arm = (series.candidate.risk_n, series.candidate.risk_bad)
    bad = absolute.increments(arm, null=null, alternatives=alternatives)
    return mixture_path(bad, minutes_of(series.tick, first=first))


def pass_sums(series: Series, bound: float) -> tuple[Floats, Floats]:
    """Log-likelihood ratios (alternatives,) against "ratio ≥ 2" and "rate ≥ bound".

    ``series`` holds the step's own ticks. The null of Pass is that both hold, so each is an
    e-process for it, and so is their mean.
    """
    candidate = (series.candidate.n, series.candidate.bad)
    stable = (series.stable.n, series.stable.bad)
    null, alternatives = ratio.better_than()
    relative = ratio.increments(candidate, stable, null=null, alternatives=alternatives)
    null, alternatives = absolute.below(bound)
    alone = absolute.increments(candidate, null=null, alternatives=alternatives)
    return relative.sum(axis=0), alone.sum(axis=0)


def pass_log_e(relative: Floats, alone: Floats) -> Floats:
    """log of the mean of the two e-values; the present value, not the highest so far."""
    result: Floats = np.logaddexp(log_mean_exp(relative), log_mean_exp(alone)) - math.log(2)
    return result


def good_requests_needed(
    relative: Floats, alone: Floats, *, bound: float, threshold: float
) -> int | None:
    """Candidate requests that reach ``threshold`` if all are good and stable has no bad event.

    None above ten million.
    """
    null, alternatives = absolute.below(bound)
    a_good_one = absolute.increments(
        (np.array(1.0), np.array(0.0)), null=null, alternatives=alternatives
    )

    def reached(requests: int) -> bool:
        return bool(pass_log_e(relative, alone + requests * a_good_one) >= threshold)

    return smallest(reached, most=_MOST_REQUESTS)


def smallest(reached: Callable[[int], bool], *, most: int) -> int | None:
    """The smallest number from 0 to ``most`` for which a rising condition holds; None: none."""
    if reached(0):
        return 0
    low, high = 0, 1
    while not reached(high):
        low, high = high, high * 2
        if low >= most:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def needed_from_nothing(rule: MetricRule, beta: float) -> int | None:
    """Good candidate requests that pass a step from its start; 0 if it can only fail."""
    if not rule.required or rule.pass_bound is None:
        return 0
    nothing = np.zeros(GRID.shape)
    return good_requests_needed(nothing, nothing, bound=rule.pass_bound, threshold=-math.log(beta))


def most(needed: Sequence[int | None]) -> int | None:
    """The most that any metric needs; None when there is none or one is unknown."""
    known = [each for each in needed if each is not None]
    return max(known) if known and len(known) == len(needed) else None


def fail_threshold(plan: AnalysisPlan) -> float:
    """log(1/α) of one metric."""
    return -math.log(plan.metric_alpha)
