"""Promotion: the candidate becomes stable by one write of its own status. No pod is rebuilt.

Also what every rise of a weight needs first: a ready backend with enough replicas, gateways that
apply the previous write, no pause.
"""

from __future__ import annotations

from slipway_contracts.conditions import ConditionType, Phase, Reason, find_condition
from slipway_operator.core.capacity import ready_replicas, replicas_for
from slipway_operator.core.draft import FALSE, TRUE, Draft, VersionDraft
from slipway_operator.core.rungs import enter
from slipway_operator.core.traffic import settled


def rise_obstacle(draft: Draft, v: VersionDraft, *, weight: int) -> tuple[Reason, str] | None:
    """Why the weight may not rise to ``weight`` now; None when it may."""
    if v.spec.desired_state == "Paused":
        return Reason.PAUSED, "set spec.desiredState: Active to go on"
    if not v.ready:
        return Reason.BACKEND_LOST, "the backend does not answer"
    if not draft.gateways:
        return Reason.GATEWAY_UNAVAILABLE, "no gateway is alive; start one"
    if not settled(draft):
        return Reason.ROUTES_PENDING, "a gateway has not applied the last routes yet"
    needed = replicas_for(v, weight, fleet=ready_replicas(draft.roles.stable))
    if ready_replicas(v) < needed:
        return Reason.STARTING, f"{ready_replicas(v)} of {needed} replicas are ready"
    return None


def promotion_obstacle(draft: Draft, v: VersionDraft) -> tuple[Reason, str] | None:
    """Why it may not be promoted now; None when it may."""
    return rise_obstacle(draft, v, weight=100)


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
