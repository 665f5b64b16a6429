"""Who is judged, against whom, on which windows of time: status → subject. Pure.

The windows' slow thresholds are those that the core froze in status when each step began, so the
same counts come out whenever they are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion, RolloutStatus, SlowThresholds
from slipway_contracts.rollout import Analysis
from slipway_store.counts import StepWindow
from slipway_verdicts.plan import (
    AnalysisPlan,
    Bound,
    Mode,
    ThresholdPlan,
    default_rules,
)


class Watched(StrEnum):
    """What the evidence is for."""

    SHADOW = "shadow"
    CANARY = "canary"
    AFTER_PROMOTION = "after-promotion"
    FIRST_VERSION = "first-version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One rollout to judge. ``windows``: finished steps, then the current one.

    Without a window there is no evidence yet; ``shadow_since`` is set while copies are sent.
    """

    kind: Watched
    model: str
    candidate: str
    stable: str | None
    attempt: str
    rollout_id: str
    step: int
    began: datetime
    shadow_since: datetime | None
    windows: tuple[StepWindow, ...]
    plan: AnalysisPlan


def subject_of(model: Model, versions: tuple[ModelVersion, ...]) -> Subject | None:
    """The slot's holder with its rollout; None while nothing has to be judged."""
    for version in versions:
        rollout = version.status.rollout
        leaving = version.status.ending is not None or version.status.outcome is not None
        if version.status.slot_taken_at is None or rollout is None or leaving:
            continue
        return _subject(model, version, rollout)
    return None


def _subject(model: Model, version: ModelVersion, rollout: RolloutStatus) -> Subject | None:
    if rollout.started_at is None:
        return None
    promoted = rollout.promoted_at is not None
    kind = _kind(rollout, promoted=promoted)
    stable = model.status.previous if promoted else model.status.stable
    settings = model.spec.rollout.overridden_by(version.spec.rollout)
    return Subject(
        kind=kind,
        model=model.metadata.name,
        candidate=version.metadata.name,
        stable=None if kind is Watched.FIRST_VERSION else stable,
        attempt=version.status.attempt,
        rollout_id=version.status.backend,
        step=rollout.step,
        began=rollout.started_at,
        shadow_since=rollout.shadow_started_at if kind is Watched.SHADOW else None,
        windows=_windows(rollout),
        plan=analysis_plan(settings.analysis, rollout.plan),
    )


def _kind(rollout: RolloutStatus, *, promoted: bool) -> Watched:
    if rollout.first:
        return Watched.FIRST_VERSION
    if promoted:
        return Watched.AFTER_PROMOTION
    return Watched.CANARY if rollout.step >= 0 else Watched.SHADOW


def _windows(rollout: RolloutStatus) -> tuple[StepWindow, ...]:
    ended = tuple(
        _window(step.step, step.started_at, step.ended_at, step.thresholds)
        for step in rollout.steps
        if step.ended_at is not None and step.step != rollout.step
    )
    if rollout.step_started_at is None:
        return ended
    current = _window(rollout.step, rollout.step_started_at, None, rollout.thresholds)
    return (*ended, current)


def _window(
    index: int, start: datetime, end: datetime | None, slow: SlowThresholds | None
) -> StepWindow:
    return StepWindow(
        index=index,
        started_at=start,
        ended_at=end,
        ttft_ms=slow.ttft_ms if slow is not None else None,
        token_ms=slow.token_ms if slow is not None else None,
    )


def analysis_plan(analysis: Analysis, weights: tuple[int, ...]) -> AnalysisPlan:
    """The resource's settings as the verdicts know them. No rule in it: every default one."""
    defaults = {rule.metric: rule for rule in default_rules()}
    rules = tuple(
        defaults[given.metric].overridden(
            floor=given.floor, pass_bound=given.pass_bound, required=given.required
        )
        for given in analysis.metrics
    )
    threshold = analysis.threshold
    return AnalysisPlan(
        mode=Mode(analysis.mode),
        alpha=analysis.alpha,
        ratio=analysis.ratio,
        rules=rules or tuple(defaults.values()),
        weights=weights,
        threshold=ThresholdPlan(
            interval_seconds=threshold.interval.total_seconds(),
            min_requests=threshold.min_requests,
            failure_limit=threshold.failure_limit,
            bounds=tuple(Bound(metric=b.metric, max=b.max) for b in threshold.bounds),
        ),
    )
