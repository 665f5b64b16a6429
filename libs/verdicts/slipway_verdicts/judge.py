"""Counts → judgement: composes the parts; a pure function, so any restart recomputes the same.

``judge`` for a rollout with a stable version, ``judge_first_version`` for one without. Knows
nothing of logs, clocks or weights of the past: the caller reads counts up to the watermark that
every live gateway has shipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from slipway_verdicts import guard, sequential, threshold, wording
from slipway_verdicts.counts import ArmCounts, Tick
from slipway_verdicts.errors import CountsError
from slipway_verdicts.judgement import Judgement, MetricJudgement, Verdict, worst
from slipway_verdicts.metric import Rollout, judge_metric
from slipway_verdicts.plan import KNOWN_METRICS, AnalysisPlan, MetricRule, Mode
from slipway_verdicts.series import Series, collect

__all__ = [
    "Judgement",
    "MetricJudgement",
    "Verdict",
    "judge",
    "judge_error",
    "judge_first_version",
]


def judge(
    ticks: Sequence[Tick],
    *,
    plan: AnalysisPlan,
    step: int,
    stable_before: Mapping[str, ArmCounts] | None = None,
    gauges: Sequence[MetricJudgement] = (),
) -> Judgement:
    """Judge a rollout by all its ticks so far, in any order.

    ``step``: index into ``plan.weights``; any other number (the watch after promotion) can fail and
    never pass. ``stable_before``: stable's uncapped counts (``n``, ``bad``) by metric from before
    the rollout; a metric that it lacks is compared with stable's ticks of the earlier steps.
    ``gauges``: what ``scalar.judge_scalar`` said of plain measurements.

    Never raises for what the counts are: those that cannot be judged give Error. A metric without
    an eligible request in either arm over the whole rollout is left out; one that had some but
    none of the candidate's in this step is NoData.
    """
    try:
        by_metric = _collect(ticks, plan)
    except CountsError as error:
        return judge_error(str(error))
    match plan.mode:
        case Mode.SEQUENTIAL:
            judgement = _sequential(by_metric, plan, step, before=stable_before or {})
        case Mode.THRESHOLD:
            judgement = _threshold(by_metric, plan, step)
    return _with_gauges(judgement, gauges)


def judge_first_version(ticks: Sequence[Tick], *, plan: AnalysisPlan) -> Judgement:
    """Watch a version that has no stable one beside it: the absolute process alone.

    Its counts are the ticks' candidate arm. Fail marks it Degraded and it serves on; never Pass.
    """
    try:
        by_metric = _collect(ticks, plan)
    except CountsError as error:
        return judge_error(str(error))
    first = _first_tick(by_metric)
    limit = sequential.fail_threshold(plan)
    judged = []
    for rule, series in _applicable(by_metric, plan):
        log_e = sequential.watch_log_e(series, rule, first=first)
        verdict = Verdict.FAIL if log_e >= limit else Verdict.CONTINUE
        judged.append(wording.first_version_metric(series, verdict, log_e=log_e, limit=limit))
    verdict = worst([metric.verdict for metric in judged])
    return Judgement(
        verdict=verdict, metrics=tuple(judged), message=wording.first_version(verdict, judged)
    )


def judge_error(reason: str) -> Judgement:
    """Error: a source that cannot be read or cannot be right. Holds, and spends errorBudget."""
    return Judgement(verdict=Verdict.ERROR, message=f"Holding, counts cannot be judged: {reason}.")


def _sequential(
    by_metric: Mapping[str, Series],
    plan: AnalysisPlan,
    step: int,
    *,
    before: Mapping[str, ArmCounts],
) -> Judgement:
    rollout = Rollout(
        plan=plan,
        step=step,
        first_tick=_first_tick(by_metric),
        last_tick=_last_tick(by_metric),
        stable_before=before,
    )
    judged = [judge_metric(rollout, rule, s) for rule, s in _applicable(by_metric, plan)]
    metrics = tuple(each.judgement for each in judged)
    verdict = worst([each.judgement.verdict for each in judged if each.decides])
    if verdict is Verdict.NO_DATA and not rollout.in_ladder and metrics:
        verdict = Verdict.CONTINUE
    needed = sequential.most([each.requests_needed for each in judged if each.decides])
    if not judged and rollout.in_ladder:
        needed = sequential.most(
            [sequential.needed_from_nothing(rule, plan.betas[step]) for rule in plan.rules]
        )
    if verdict is Verdict.FAIL or not rollout.in_ladder:
        needed = None
    return Judgement(
        verdict=verdict,
        guard=any(each.guard for each in judged),
        metrics=metrics,
        requests_needed=needed,
        message=wording.sequential(verdict, metrics, step=step, plan=plan, needed=needed),
    )


def _threshold(by_metric: Mapping[str, Series], plan: AnalysisPlan, step: int) -> Judgement:
    clocks = threshold.clocks(by_metric)
    guarded = {
        rule.metric: wording.failed(wording.counted(s.at_step(step), Verdict.FAIL), guard=True)
        for rule, s in _applicable(by_metric, plan)
        if guard.tripped(s)
    }
    judged = [
        threshold.judge_bound(by_metric[b.metric], b, plan=plan.threshold, step=step, clocks=clocks)
        for b in plan.threshold.bounds
        if b.metric in by_metric and by_metric[b.metric].eligible() and b.metric not in guarded
    ]
    metrics = (*guarded.values(), *(each.judgement for each in judged))
    verdict = worst([metric.verdict for metric in metrics])
    if verdict is Verdict.PASS and not 0 <= step < len(plan.weights):
        verdict = Verdict.CONTINUE
    return Judgement(
        verdict=verdict,
        guard=bool(guarded),
        metrics=metrics,
        requests_needed=sequential.most([each.requests_needed for each in judged]),
        message=wording.threshold(verdict, metrics),
    )


def _with_gauges(judgement: Judgement, gauges: Sequence[MetricJudgement]) -> Judgement:
    """Gauges may make it worse; a gauge that is within its bound changes nothing."""
    verdict = worst([judgement.verdict, *(gauge.verdict for gauge in gauges)])
    message = judgement.message
    if verdict is not judgement.verdict:
        message = next(gauge.message for gauge in gauges if gauge.verdict is verdict)
    return Judgement(
        verdict=verdict,
        guard=judgement.guard,
        metrics=(*judgement.metrics, *gauges),
        requests_needed=judgement.requests_needed,
        message=message,
    )


def _collect(ticks: Sequence[Tick], plan: AnalysisPlan) -> dict[str, Series]:
    by_metric = collect(ticks)
    own = {rule.metric for rule in plan.rules} | {b.metric for b in plan.threshold.bounds}
    unknown = sorted(by_metric.keys() - own - KNOWN_METRICS)
    if unknown:
        raise CountsError(f"unknown metric {unknown[0]!r}; name it in the plan's rules")
    return by_metric


def _applicable(
    by_metric: Mapping[str, Series], plan: AnalysisPlan
) -> Iterator[tuple[MetricRule, Series]]:
    for rule in plan.rules:
        series = by_metric.get(rule.metric)
        if series is not None and series.eligible():
            yield rule, series


def _first_tick(by_metric: Mapping[str, Series]) -> int:
    return min((int(series.tick[0]) for series in by_metric.values()), default=0)


def _last_tick(by_metric: Mapping[str, Series]) -> int:
    return max((int(series.tick[-1]) for series in by_metric.values()), default=0)
