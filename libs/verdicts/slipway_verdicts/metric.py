"""One metric of a rollout in the sequential mode: Fail, guard, Pass, the stable arm, in that order.

Knows one metric only; how metrics make a judgement is ``judge``'s business.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from slipway_verdicts import guard, sequential, stable_arm, wording
from slipway_verdicts.counts import ArmCounts
from slipway_verdicts.judgement import MetricJudgement, Verdict
from slipway_verdicts.plan import AnalysisPlan, MetricRule
from slipway_verdicts.series import Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """What all metrics share. Ticks are the first and the last of any metric."""

    plan: AnalysisPlan
    step: int
    first_tick: int
    last_tick: int
    stable_before: Mapping[str, ArmCounts]

    @property
    def in_ladder(self) -> bool:
        """Is ``step`` one that can be passed? A watch after promotion is not."""
        return 0 <= self.step < len(self.plan.weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedMetric:
    """A metric's judgement and what the whole makes of it.

    ``decides``: its verdict counts; a metric that can only fail counts only then.
    ``requests_needed`` as in ``Judgement``.
    """

    judgement: MetricJudgement
    decides: bool
    guard: bool = False
    requests_needed: int | None = None


def judge_metric(rollout: Rollout, rule: MetricRule, series: Series) -> JudgedMetric:
    """``series``: the metric's ticks of the whole rollout."""
    own = series.at_step(rollout.step)
    plan = rollout.plan
    limit = sequential.fail_threshold(plan)
    log_e = sequential.fail_log_e(series, rule, ratio_null=plan.ratio, first=rollout.first_tick)
    judged = replace(wording.counted(own, Verdict.CONTINUE), fail_log_e=log_e, fail_threshold=limit)
    trips = guard.tripped(series)
    if trips or log_e >= limit:
        failed = replace(judged, verdict=Verdict.FAIL)
        return JudgedMetric(
            judgement=wording.failed(failed, guard=trips), decides=True, guard=trips
        )
    if not rollout.in_ladder or not rule.required or rule.pass_bound is None:
        return JudgedMetric(judgement=wording.watched(judged), decides=False)
    return _pass(rollout, rule, series, judged, bound=rule.pass_bound)


def _pass(
    rollout: Rollout, rule: MetricRule, series: Series, judged: MetricJudgement, *, bound: float
) -> JudgedMetric:
    own = series.at_step(rollout.step)
    threshold = -math.log(rollout.plan.betas[rollout.step])
    relative, alone = sequential.pass_sums(own, bound)
    log_e = float(sequential.pass_log_e(relative, alone))
    judged = replace(judged, pass_log_e=log_e, pass_threshold=threshold)
    needed = sequential.good_requests_needed(relative, alone, bound=bound, threshold=threshold)
    before = rollout.stable_before.get(rule.metric)
    if before is None:
        before = stable_arm.before_step(series, rollout.step)
    now = stable_arm.now_in_step(own, last_tick=rollout.last_tick)
    if judged.candidate_n == 0:
        judged = wording.no_data(judged)
    elif log_e < threshold:
        judged = wording.undecided(judged, needed=needed)
    elif stable_arm.worse(
        rule, before=stable_arm.arm(before), now=stable_arm.arm(now), allowed=rollout.plan.ratio
    ):
        judged = wording.stable_is_worse(judged, before=before, now=now)
    else:
        judged = wording.passed(judged)
    return JudgedMetric(judgement=judged, decides=True, requests_needed=needed)
