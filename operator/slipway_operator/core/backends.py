"""Which backends should exist: stable, candidate, whatever drains, and the members of a split."""

from __future__ import annotations

from slipway_operator.core.capacity import next_weight, ready_replicas, replicas_for
from slipway_operator.core.decision import DesiredBackend
from slipway_operator.core.draft import Draft, VersionDraft
from slipway_operator.core.policies.drain import drained
from slipway_operator.core.policies.split import member
from slipway_operator.core.traffic import yielding


def desired_backends(draft: Draft) -> tuple[DesiredBackend, ...]:
    """Derived from the statuses alone; what is not listed goes."""
    return tuple(_desired(draft, v) for v in draft if _wanted(draft, v))


def _wanted(draft: Draft, v: VersionDraft) -> bool:
    if v.over or v.status.artifact is None or not v.status.backend:
        return False
    giving_way = yielding(draft)
    if v is giving_way:
        return not drained(draft, v)
    if v.promoted or member(v):
        return True
    if not v.holds_slot:
        return False
    # Recreate: not before the stable one's room is free
    return giving_way is None or giving_way.seen is None or v.seen is not None


def _desired(draft: Draft, v: VersionDraft) -> DesiredBackend:
    assert v.status.artifact is not None
    return DesiredBackend(
        name=v.status.backend,
        version=v.name,
        model=v.spec.model,
        artifact=v.status.artifact,
        serving=v.serving,
        replicas=_replicas(draft, v),
    )


def _replicas(draft: Draft, v: VersionDraft) -> int:
    """While a rollout runs nobody shrinks below what the traffic needs if it all came back."""
    roles = draft.roles
    if v is roles.candidate and v.live:
        return replicas_for(v, next_weight(v), fleet=ready_replicas(roles.stable))
    compared = v is roles.stable and roles.candidate is not None
    if compared or (v is roles.previous and v.live):
        return replicas_for(v, 100, fleet=ready_replicas(v))
    return v.serving.replicas.min
