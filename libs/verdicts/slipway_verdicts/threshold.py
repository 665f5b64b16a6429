"""``mode: Threshold``: plain bounds, for parity with tools that judge by them.

The step is cut into intervals from its first tick. A closed interval with at least
``min_requests`` of the candidate's is one measurement: within the bound or a failure. Fail at the
``failure_limit``-th failure within one step, latched; Pass when the last closed interval was
measured and within the bound; an interval with fewer requests decides nothing.

It compares with no stable version and bounds no error rate: at 2 % errors on both arms it aborts a
good candidate. That is why it is not the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from slipway_verdicts import wording
from slipway_verdicts.counts import TICK_SECONDS
from slipway_verdicts.grid import Floats
from slipway_verdicts.judgement import MetricJudgement, Verdict
from slipway_verdicts.plan import Bound, ThresholdPlan
from slipway_verdicts.series import Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """First tick of a step and last closed tick of the rollout, over all metrics."""

    start: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedBound:
    """One metric's judgement; ``requests_needed``: what its last interval was short of."""

    judgement: MetricJudgement
    requests_needed: int | None


def clocks(by_metric: Mapping[str, Series]) -> dict[int, Clock]:
    """One clock a step. A step that is over keeps its intervals: its last tick ends them."""
    found: dict[int, Clock] = {}
    for series in by_metric.values():
        for step in np.unique(series.step):
            own = series.tick[series.step == step]
            known = found.get(int(step), Clock(start=int(own[0]), last=int(own[-1])))
            found[int(step)] = Clock(
                start=min(known.start, int(own[0])), last=max(known.last, int(own[-1]))
            )
    return found


def judge_bound(
    series: Series, bound: Bound, *, plan: ThresholdPlan, step: int, clocks: Mapping[int, Clock]
) -> JudgedBound:
    """One metric by its ticks of the whole rollout."""
    judged = wording.counted(series.at_step(step), Verdict.CONTINUE)
    failed = max(_failures(series.at_step(s), bound, plan, clocks[s]) for s in clocks)
    n, bad = latest(series.at_step(step), plan, clocks.get(step))
    short = plan.min_requests - int(n)
    if failed >= plan.failure_limit:
        verdict, why = Verdict.FAIL, f"{failed} intervals above {bound.max:.2%}"
    elif short > 0:
        verdict, why = Verdict.NO_DATA, f"{n:.0f} of {plan.min_requests} requests needed"
    elif bad <= bound.max * n:
        verdict, why = Verdict.PASS, f"{bad / n:.2%} bad, at most {bound.max:.2%}"
    else:
        verdict, why = Verdict.CONTINUE, f"{bad / n:.2%} bad, above {bound.max:.2%}"
    message = f"{bound.metric}: {why} in intervals of {plan.interval_seconds:g} s."
    return JudgedBound(
        judgement=replace(judged, verdict=verdict, message=message),
        requests_needed=short if verdict is Verdict.NO_DATA else None,
    )


def latest(series: Series, plan: ThresholdPlan, clock: Clock | None) -> tuple[float, float]:
    """Requests and bad events of the candidate in the last closed interval of the step."""
    if clock is None:
        return 0.0, 0.0
    n, bad = _intervals(series, plan, clock)
    return (float(n[-1]), float(bad[-1])) if n.size else (0.0, 0.0)


def _failures(series: Series, bound: Bound, plan: ThresholdPlan, clock: Clock) -> int:
    n, bad = _intervals(series, plan, clock)
    return int((measured(n, plan) & ~within(n, bad, bound)).sum())


def measured(n: Floats, plan: ThresholdPlan) -> NDArray[np.bool_]:
    """Had the interval enough requests to say anything?"""
    result: NDArray[np.bool_] = n >= plan.min_requests
    return result


def within(n: Floats, bad: Floats, bound: Bound) -> NDArray[np.bool_]:
    """Is the interval's rate at most the bound?"""
    result: NDArray[np.bool_] = bad <= bound.max * n
    return result


def interval_ticks(plan: ThresholdPlan) -> int:
    """Length of an interval in ticks, at least one."""
    return max(1, round(plan.interval_seconds / TICK_SECONDS))


def _intervals(series: Series, plan: ThresholdPlan, clock: Clock) -> tuple[Floats, Floats]:
    length = interval_ticks(plan)
    closed = (clock.last - clock.start + 1) // length
    index = (series.tick - clock.start) // length
    kept = index < closed
    n = np.bincount(index[kept], weights=series.candidate.n[kept], minlength=closed)
    bad = np.bincount(index[kept], weights=series.candidate.bad[kept], minlength=closed)
    return n.astype(np.float64), bad.astype(np.float64)
