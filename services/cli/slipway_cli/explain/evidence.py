"""One sentence a metric: both rates with their counts, the bound, and what it comes to.

``error: candidate 0.4 % of 812, stable 0.3 % of 7,300; fails above 1.2 %: passes``
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slipway_cli.explain.bounds import fails_above, rate
from slipway_cli.explain.figures import at_time, count, percent
from slipway_cli.explain.situation import Situation
from slipway_contracts.model_version import SlowThresholds
from slipway_contracts.rollout import Analysis

_UNREACHABLE = (
    "The measurements behind this are in the platform's PostgreSQL, which cannot be read from "
    "here; the verdict and the steps' sums are from the status."
)


def evidence(situation: Situation) -> list[str]:
    """The newest judgement of this attempt: when, the whole in a sentence, then each metric."""
    measured, rollout = situation.measured, situation.rollout
    if measured is None or measured.attempt != situation.version.status.attempt:
        return _from_status(situation)
    body = measured.body
    where = _where(measured.step, situation)
    lines = [f"Last judged {at_time(measured.at, situation.now)}, {where}: {measured.verdict}."]
    metrics: Sequence[Mapping[str, Any]] = body.get("metrics") or ()
    lines += [
        sentence(metric, situation.settings.analysis, thresholds=rollout.thresholds)
        for metric in metrics
    ]
    if not metrics:
        lines.append("No metric had a request to judge by.")
    return lines


def _from_status(situation: Situation) -> list[str]:
    rollout = situation.rollout
    lines = []
    if not situation.evidence_reachable:
        lines.append(_UNREACHABLE)
    if rollout.verdict:
        said = f": {rollout.message}" if rollout.message else "."
        lines.append(f"The latest verdict is {rollout.verdict}{said}")
    lines += [
        f"step {step.step + 1} ({step.weight} %): {count(step.requests)} requests, "
        f"{count(step.bad)} bad{f', {step.verdict}' if step.verdict else ''}"
        for step in rollout.steps
        if step.requests
    ]
    return lines


def _where(step: int, situation: Situation) -> str:
    plan = situation.rollout.plan
    if 0 <= step < len(plan):
        return f"in step {step + 1} ({plan[step]} %)"
    return "in the shadow phase" if step < 0 else "in the watch after the promotion"


def sentence(
    metric: Mapping[str, Any], analysis: Analysis, *, thresholds: SlowThresholds | None = None
) -> str:
    """One judged metric (a body of ``measurements``)."""
    name = str(metric.get("metric", "?"))
    arms = f"candidate {_arm(metric, 'candidate')}, stable {_arm(metric, 'stable')}"
    bound = fails_above(metric, analysis)
    limit = f"; fails above {percent(bound)}" if bound is not None else ""
    return f"{name}{_slow(name, thresholds)}: {arms}{limit}: {_outcome(metric, bound)}"


def _arm(metric: Mapping[str, Any], side: str) -> str:
    found = rate(metric, side)
    return f"{percent(found)} of {count(metric[f'{side}_n'])}" if found is not None else "none"


def _slow(name: str, thresholds: SlowThresholds | None) -> str:
    """What slow means in this step."""
    if thresholds is None or not name.startswith("slow_"):
        return ""
    if name == "slow_start":
        return f" (first token after {thresholds.ttft_ms:,.0f} ms)"
    return f" (over {thresholds.token_ms:,.0f} ms a token)"


def _outcome(metric: Mapping[str, Any], bound: float | None) -> str:
    candidate = rate(metric, "candidate")
    match str(metric.get("verdict", "")):
        case "Pass":
            return "passes"
        case "Fail":
            return "fails"
        case "NoData":
            return "no request of the candidate's yet"
        case "Error":
            return "cannot be judged"
    if candidate is not None and bound is not None and candidate > bound:
        return "above its bound, not proven yet"
    if metric.get("pass_threshold") is None:
        return "watched, it can only fail"
    return "not enough requests to pass yet"
