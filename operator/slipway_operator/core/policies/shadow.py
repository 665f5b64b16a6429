"""The shadow phase: copies of real requests before any real one. Nothing is returned or billed."""

from __future__ import annotations

from slipway_contracts.conditions import Phase, Reason
from slipway_operator.core.draft import Draft, VersionDraft, elapsed
from slipway_operator.core.evidence import read_evidence
from slipway_operator.core.rungs import lasted
from slipway_operator.core.traffic import settled, shadowing

# As the guard: half of at least twenty.
BAD_SHARE, BAD_REQUESTS = 0.5, 20


def shadow(draft: Draft) -> None:
    """Begin when the gateways copy; end when there was time and traffic enough."""
    v = draft.roles.candidate
    if v is None or not shadowing(v):
        return
    draft.wake_in(1)
    rollout = v.rollout
    assert rollout is not None
    if rollout.shadow_started_at is None:
        if settled(draft) and v.ready:
            v.set_rollout(shadow_started_at=draft.now)
        return
    _judge(draft, v)


def _judge(draft: Draft, v: VersionDraft) -> None:
    rollout = v.rollout
    assert rollout is not None and rollout.shadow_started_at is not None and v.specs is not None
    wanted = v.specs.rollout.shadow
    assert wanted is not None
    reading = read_evidence(draft, v)
    copies, bad = reading.shadow_requests, reading.shadow_bad
    if copies >= BAD_REQUESTS and bad >= BAD_SHARE * copies:
        v.leave(
            Phase.ROLLED_BACK,
            Reason.ANALYSIS_FAILED,
            message=f"{bad} of {copies} shadow requests failed",
        )
        return
    spent = elapsed(v, rollout.shadow_started_at, paused_seconds=rollout.paused_seconds)
    if not v.paused and lasted(spent, wanted.min_duration) and copies >= wanted.min_requests:
        v.set_rollout(shadow_ended_at=draft.now)
