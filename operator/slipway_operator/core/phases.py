"""The phase that people see, derived from the status; nothing reads it back."""

from __future__ import annotations

from slipway_contracts.conditions import ConditionType, Phase
from slipway_operator.core.draft import Draft, VersionDraft
from slipway_operator.core.policies.promote import awaits_approval
from slipway_operator.core.policies.split import member
from slipway_operator.core.traffic import shadowing


def phase_of(draft: Draft, v: VersionDraft) -> Phase:
    """First match from the end of a life to its beginning."""
    status = v.status
    if v.deleted:
        return Phase.TERMINATING
    if status.outcome is not None:
        return status.outcome.phase
    if status.ending is not None:
        return _leaving(status.ending.phase)
    if v.promoted:
        return _promoted(v)
    if member(v):
        return Phase.SERVING if v.ready else Phase.DEPLOYING
    if v.is_true(ConditionType.PAUSED):
        return Phase.PAUSED
    if awaits_approval(v):
        return Phase.AWAITING_APPROVAL
    return _climbing(v) if v.holds_slot else _before_slot(draft, v)


def _leaving(phase: Phase) -> Phase:
    match phase:
        case Phase.ROLLED_BACK:
            return Phase.ROLLING_BACK
        case Phase.RETIRED:
            return Phase.TERMINATING
        case _:
            return phase


def _promoted(v: VersionDraft) -> Phase:
    """Promoting until the gateways have applied it; then it serves, watched or not."""
    rollout = v.rollout
    assert rollout is not None
    pending = v.holds_slot and rollout.step_started_at is None and rollout.step >= 0
    return Phase.PROMOTING if pending else Phase.SERVING


def _climbing(v: VersionDraft) -> Phase:
    if v.rollout is None:
        return Phase.DEPLOYING
    return Phase.SHADOWING if shadowing(v) else Phase.CANARY


def _before_slot(draft: Draft, v: VersionDraft) -> Phase:
    running = {run.version for run in draft.runs.values()}
    if v.name not in running:
        return Phase.PENDING
    return Phase.EVALUATING if v.status.artifact is not None else Phase.TRAINING
