"""What the latest look at a rollout's evidence saw: rates, the bound, the verdict, by metric."""

from __future__ import annotations

from slipway_contracts.metrics import lifecycle as names
from slipway_operator.metrics.followed import Followed, Look, Told
from slipway_verdicts.judgement import MetricJudgement
from slipway_verdicts.plan import Mode


def analysis(v: Followed) -> Told:
    """While the version is judged. A metric that nobody asked for has no series."""
    if v.look is None or v.rolling is None:
        return
    for judged in v.look.judgement.metrics:
        metric = judged.metric
        yield names.ANALYSIS_VERDICT, (metric, judged.verdict.value), 1.0
        yield names.ANALYSIS_REQUESTS, (metric, "candidate"), judged.candidate_n
        yield names.ANALYSIS_REQUESTS, (metric, "stable"), judged.stable_n
        if judged.candidate_n:
            rate = judged.candidate_bad / judged.candidate_n
            yield names.ANALYSIS_RATE, (metric, "candidate"), rate
        if judged.stable_n:
            yield names.ANALYSIS_RATE, (metric, "stable"), judged.stable_bad / judged.stable_n
        bound = bound_of(v.look, judged)
        if bound is not None:
            yield names.ANALYSIS_BOUND, (metric,), bound


def bound_of(look: Look, judged: MetricJudgement) -> float | None:
    """The rate up to which the candidate counts as no worse; None where none is set.

    Sequential: the floor, or so many times the stable version's rate, whichever is higher.
    """
    plan = look.plan
    if plan.mode is Mode.THRESHOLD:
        bounds = plan.threshold.bounds
        return next((bound.max for bound in bounds if bound.metric == judged.metric), None)
    floor = next((rule.floor for rule in plan.rules if rule.metric == judged.metric), None)
    if floor is None or not look.compared or not judged.stable_n:
        return floor
    return max(floor, min(1.0, plan.ratio * judged.stable_bad / judged.stable_n))
