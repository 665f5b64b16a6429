"""Promotion: the candidate becomes stable by one write of its own status. No pod is rebuilt.

Also the approvals that may have to come before it.
"""

from __future__ import annotations

from slipway_contracts.conditions import ConditionType, Phase, Reason, find_condition
from slipway_operator.core.draft import FALSE, TRUE, Draft, VersionDraft
from slipway_operator.core.rungs import enter


def granted(draft: Draft, v: VersionDraft) -> bool:
    """A person said yes: by approval, or by pinning this version."""
    return v.spec.approval.granted or draft.pinned is v


def await_approval(v: VersionDraft, what: str) -> None:
    """Say who is waited for."""
    v.condition(
        ConditionType.PROMOTED,
        FALSE,
        reason=Reason.AWAITING_APPROVAL,
        message=f"{what} waits for a person: set spec.approval.granted: true",
    )


def awaits_approval(v: VersionDraft) -> bool:
    """It stands still until a person says yes."""
    kinds = (ConditionType.CANDIDATE_READY, ConditionType.PROMOTED)
    found = (find_condition(v.status.conditions, kind) for kind in kinds)
    return any(
        c is not None and c.status is FALSE and c.reason is Reason.AWAITING_APPROVAL for c in found
    )


def promote(draft: Draft, v: VersionDraft, *, reason: Reason, message: str) -> None:
    """It is stable from now on; what was stable keeps 5 % for the watch."""
    rollout = v.rollout
    assert v.specs is not None
    enter(draft, v, len(rollout.plan) if rollout is not None else 0)
    v.set_rollout(promoted_at=draft.now, decided_by=reason, decided_at=draft.now, message=message)
    v.condition(ConditionType.PROMOTED, TRUE, reason=reason, message=message)


def supersede(v: VersionDraft | None, by: VersionDraft) -> None:
    """The old version leaves: drains, then is Superseded."""
    if v is not None:
        message = f"{by.name} serves; to return set the Model's spec.pinnedVersion: {v.name}"
        v.leave(Phase.SUPERSEDED, Reason.SUPERSEDED, message=message)
