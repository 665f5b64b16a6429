"""What a judgement says: one sentence each, for the person who is paged.

Sentences carry the counts that decided and, while it holds, what is still missing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from slipway_verdicts.counts import ArmCounts
from slipway_verdicts.judgement import MetricJudgement, Verdict
from slipway_verdicts.plan import AnalysisPlan
from slipway_verdicts.series import Series


def counted(series: Series, verdict: Verdict) -> MetricJudgement:
    """A judgement that carries the series' uncapped totals."""
    candidate, stable = series.candidate.total(), series.stable.total()
    return MetricJudgement(
        metric=series.metric,
        verdict=verdict,
        candidate_n=candidate.n,
        candidate_bad=candidate.bad,
        stable_n=stable.n,
        stable_bad=stable.bad,
    )


def failed(judged: MetricJudgement, *, guard: bool) -> MetricJudgement:
    """Fail, by the guard or by evidence."""
    if guard:
        why = "the guard tripped, at least half of the candidate's answers were bad"
    else:
        why = (
            "the candidate is worse than stable and than its floor "
            f"(evidence {_e(judged.fail_log_e)} of {_e(judged.fail_threshold)})"
        )
    text = f"{judged.metric}: {why}; in this step {_arms(judged)}."
    return replace(judged, verdict=Verdict.FAIL, message=text)


def watched(judged: MetricJudgement) -> MetricJudgement:
    """A metric that can only fail, and has not."""
    return replace(
        judged,
        verdict=Verdict.CONTINUE,
        message=f"{judged.metric}: watched, can only fail; {_arms(judged)}.",
    )


def no_data(judged: MetricJudgement) -> MetricJudgement:
    """No eligible request of the candidate's in this step."""
    return replace(
        judged,
        verdict=Verdict.NO_DATA,
        message=f"{judged.metric}: the candidate had no request in this step yet.",
    )


def undecided(judged: MetricJudgement, *, needed: int | None) -> MetricJudgement:
    """Neither failed nor passed."""
    missing = "" if needed is None else f", {needed} more good requests would pass it"
    text = (
        f"{judged.metric}: undecided (evidence {_e(judged.pass_log_e)} of "
        f"{_e(judged.pass_threshold)}){missing}; {_arms(judged)}."
    )
    return replace(judged, verdict=Verdict.CONTINUE, message=text)


def stable_is_worse(
    judged: MetricJudgement, *, before: ArmCounts, now: ArmCounts
) -> MetricJudgement:
    """Would pass, but the stable arm got worse."""
    text = (
        f"{judged.metric}: the stable arm is worse than before ({_rate(now.n, now.bad)} now, "
        f"{_rate(before.n, before.bad)} before), the candidate may be slowing both; holding."
    )
    return replace(judged, verdict=Verdict.CONTINUE, message=text)


def passed(judged: MetricJudgement) -> MetricJudgement:
    """Good enough for this step."""
    return replace(
        judged, verdict=Verdict.PASS, message=f"{judged.metric}: good enough; {_arms(judged)}."
    )


def sequential(
    verdict: Verdict,
    metrics: Sequence[MetricJudgement],
    *,
    step: int,
    plan: AnalysisPlan,
    needed: int | None,
) -> str:
    """One sentence on the whole."""
    where = (
        f"step {step + 1} ({plan.weights[step]} %)" if 0 <= step < len(plan.weights) else "watch"
    )
    match verdict:
        case Verdict.FAIL:
            return _first(metrics, Verdict.FAIL)
        case Verdict.PASS:
            count = sum(metric.verdict is Verdict.PASS for metric in metrics)
            requests = max(metric.candidate_n for metric in metrics)
            noun = "metric" if count == 1 else "metrics"
            return f"Passed {where}: {count} {noun} good enough on {requests} requests."
        case Verdict.NO_DATA:
            missing = "" if needed is None else f"; {needed} good requests would pass it"
            return f"Holding at {where}: no requests to judge by yet{missing}."
        case _:
            return f"Holding at {where}: {_slowest(metrics)}"


def threshold(verdict: Verdict, metrics: Sequence[MetricJudgement]) -> str:
    """One sentence on the whole, ``mode: Threshold``."""
    if not metrics:
        return "Holding: no requests to judge by yet."
    sentence = _first(metrics, verdict)
    return sentence if verdict in (Verdict.FAIL, Verdict.PASS) else f"Holding: {sentence}"


def first_version_metric(
    series: Series, verdict: Verdict, *, log_e: float, limit: float
) -> MetricJudgement:
    """One metric of a version that has nothing to be compared with."""
    judged = replace(counted(series, verdict), fail_log_e=log_e, fail_threshold=limit)
    state = "above its floor" if verdict is Verdict.FAIL else "watched"
    rate = _rate(judged.candidate_n, judged.candidate_bad)
    return replace(judged, message=f"{judged.metric}: {state}, {rate} bad.")


def first_version(verdict: Verdict, metrics: Sequence[MetricJudgement]) -> str:
    """One sentence on the whole, first version."""
    if not metrics:
        return "No requests yet."
    if verdict is Verdict.FAIL:
        return f"Degraded, and there is nothing better to serve: {_first(metrics, verdict)}"
    return f"Healthy: no metric of {len(metrics)} is above its floor."


def _first(metrics: Sequence[MetricJudgement], verdict: Verdict) -> str:
    return next((m.message for m in metrics if m.verdict is verdict), metrics[0].message)


def _slowest(metrics: Sequence[MetricJudgement]) -> str:
    """The metric furthest from passing."""

    def gap(metric: MetricJudgement) -> float:
        if metric.pass_log_e is None or metric.pass_threshold is None:
            return -math.inf
        blocked = metric.verdict is not Verdict.PASS
        return metric.pass_threshold - metric.pass_log_e if blocked else -math.inf

    return max(metrics, key=gap).message


def _arms(judged: MetricJudgement) -> str:
    candidate = _rate(judged.candidate_n, judged.candidate_bad)
    return f"candidate {candidate}, stable {_rate(judged.stable_n, judged.stable_bad)}"


def _rate(n: int, bad: int) -> str:
    return f"{bad} bad of {n} ({bad / n:.2%})" if n else "no requests"


def _e(log_e: float | None) -> str:
    return "none" if log_e is None else f"{math.exp(min(log_e, 50.0)):.3g}"
