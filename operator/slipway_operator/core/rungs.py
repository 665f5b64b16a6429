"""The rungs of one rollout: the plan, entering a rung, the clocks and summaries that go with it.

A rung is entered when its weight is asked for, and begins when every live gateway applies it: only
then do its clock and its samples count. Slow thresholds are frozen on entering, because the route
that carries the weight carries them too.
"""

from __future__ import annotations

from datetime import timedelta

from slipway_contracts.model_version import RolloutStatus, SlowThresholds, StepSummary
from slipway_contracts.rollout import Rollout
from slipway_operator.core.draft import Draft, VersionDraft, elapsed
from slipway_operator.core.effective import rollout_digest
from slipway_verdicts.ladder import auto_ladder

PASSED = "Pass"


def plan_of(draft: Draft, rollout: Rollout) -> tuple[int, ...]:
    """The weights of the steps; Auto takes the ladder that stable's traffic can decide."""
    if rollout.strategy == "Direct":
        return ()
    if rollout.steps:
        return tuple(step.weight for step in rollout.steps)
    return tuple(rung.weight for rung in auto_ladder(draft.snapshot.baseline.requests_per_second))


def begin_rollout(draft: Draft, v: VersionDraft) -> None:
    """The rollout begins at weight 0."""
    assert v.specs is not None
    rollout = v.specs.rollout
    v.set(
        rollout=RolloutStatus(
            plan=plan_of(draft, rollout),
            first=draft.roles.stable is None,
            started_at=draft.now,
            paused_since=None,
            thresholds=thresholds(draft, v),
            spec_digest=rollout_digest(rollout),
        )
    )


def thresholds(draft: Draft, v: VersionDraft) -> SlowThresholds:
    """Stable's p95 × tolerance where it has enough samples, else the Model's absolute SLO (ms)."""
    assert v.specs is not None and draft.model is not None
    slo, tolerance = draft.model.spec.serving.slo, v.specs.rollout.analysis.latency_tolerance
    seen = draft.snapshot.baseline
    return SlowThresholds(
        ttft_ms=seen.ttft_p95_ms * tolerance if seen.ttft_p95_ms is not None else slo.ttft_ms,
        token_ms=seen.token_p95_ms * tolerance if seen.token_p95_ms is not None else slo.token_ms,
    )


def enter(draft: Draft, v: VersionDraft, step: int) -> None:
    """Ask for the weight of ``step``; its clock begins when the gateways confirm (``begin``)."""
    close(v)
    v.set_rollout(
        step=step,
        step_started_at=None,
        step_paused_seconds=0.0,
        thresholds=thresholds(draft, v),
        verdict="",
    )


def begin(draft: Draft, v: VersionDraft, *, weight: int) -> None:
    """The gateways apply the weight: from now on samples count."""
    rollout = v.rollout
    assert rollout is not None
    summary = StepSummary(
        step=rollout.step, weight=weight, started_at=draft.now, thresholds=rollout.thresholds
    )
    v.set_rollout(step_started_at=draft.now, steps=(*rollout.steps, summary))


def current(v: VersionDraft) -> StepSummary | None:
    """The summary of the step that runs; None before it began."""
    rollout = v.rollout
    if rollout is None or not rollout.steps or rollout.steps[-1].step != rollout.step:
        return None
    return rollout.steps[-1]


def note(v: VersionDraft, **changes: object) -> None:
    """Change the running step's summary."""
    rollout, summary = v.rollout, current(v)
    if rollout is not None and summary is not None:
        v.set_rollout(steps=(*rollout.steps[:-1], summary.model_copy(update=changes)))


def close(v: VersionDraft) -> None:
    """The running step ends."""
    summary = current(v)
    if summary is not None and summary.ended_at is None:
        note(v, ended_at=v.now)


def passed(v: VersionDraft) -> bool:
    """The running step passed; that stays, also while something else is waited for."""
    summary = current(v)
    return summary is not None and summary.verdict == PASSED


def rung_at(v: VersionDraft, weight: int, *, plan: tuple[int, ...]) -> None:
    """Stand on ``plan``'s highest rung that is not above ``weight``, and begin it anew.

    Where every rung is higher, ``weight`` stays as a first rung of its own: an edit never raises a
    weight. What came after that rung is forgotten.
    """
    if plan and plan[0] > weight:
        plan = (weight, *plan)
    step = max((index for index, rung in enumerate(plan) if rung <= weight), default=0)
    v.set_rollout(
        plan=plan,
        step=step,
        step_started_at=None,
        step_paused_seconds=0.0,
        steps=tuple(s for s in (v.rollout.steps if v.rollout else ()) if s.step < step),
        verdict="",
    )


def step_elapsed(v: VersionDraft) -> timedelta:
    """How long the running step has been judged."""
    rollout = v.rollout
    assert rollout is not None and rollout.step_started_at is not None
    return elapsed(v, rollout.step_started_at, paused_seconds=rollout.step_paused_seconds)


def rollout_elapsed(v: VersionDraft) -> timedelta:
    """How long the rollout has been going on."""
    rollout = v.rollout
    assert rollout is not None and rollout.started_at is not None
    return elapsed(v, rollout.started_at, paused_seconds=rollout.paused_seconds)


def lasted(spent: timedelta, wanted: timedelta) -> bool:
    """Met; no evidence can come from after a moment that is now, so zero is never enough."""
    return spent > timedelta(0) and spent >= wanted
