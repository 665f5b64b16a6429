"""How many replicas a share needs. Serve's autoscaler moves above this floor on its own."""

from __future__ import annotations

import math

from slipway_operator.core.draft import VersionDraft


def replicas_for(v: VersionDraft, weight: int, *, fleet: int) -> int:
    """The floor for ``weight`` per cent of what ``fleet`` ready replicas carry now."""
    bounds = v.serving.replicas
    return max(bounds.min, min(bounds.max, math.ceil(fleet * weight / 100)))


def ready_replicas(v: VersionDraft | None) -> int:
    """How many may serve now."""
    return v.seen.ready_replicas if v is not None and v.seen is not None else 0


def next_weight(v: VersionDraft) -> int:
    """The share that the next step will ask for, so that its replicas are there before it."""
    rollout = v.rollout
    if rollout is None or v.promoted:
        return 100
    following = rollout.plan[rollout.step + 1 :]
    return following[0] if following else 100
