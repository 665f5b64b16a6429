"""Leaving in order: weight 0 is applied by every live gateway, then what is in flight ends.

With no live gateway nobody can confirm; then a gateway that is only cut off has fenced its
candidates itself after its heartbeat expired, and that is waited for. A deletion is time-boxed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from slipway_contracts.conditions import ConditionType, Reason
from slipway_contracts.model_version import Outcome
from slipway_contracts.route import HEARTBEAT_EXPIRY_SECONDS
from slipway_operator.core.draft import FALSE, Draft, VersionDraft
from slipway_operator.core.traffic import unrouted, yielding

# A deletion waits for a gateway that does not confirm no longer than this beyond drainSeconds.
DELETION_BOX = timedelta(seconds=60)


def drain(draft: Draft) -> None:
    """Whatever leaves, and the stable version that makes room for a ``Recreate`` candidate."""
    giving_way = yielding(draft)
    for v in draft:
        if v.status.ending is not None and not v.over:
            _leave(draft, v, v.status.ending)
        elif v is giving_way:
            _start(draft, v, since=None)
        elif v.live and v.rollout is not None and v.rollout.drain_started_at is not None:
            v.set_rollout(drain_started_at=None)


def _leave(draft: Draft, v: VersionDraft, ending: Outcome) -> None:
    draft.wake_in(0.25)
    if v.rollout is None:
        _end(v, ending)
        return
    _start(draft, v, since=ending.at)
    boxed = ending.at + timedelta(seconds=v.serving.drain_seconds) + DELETION_BOX
    model = draft.model
    deleted = v.deleted or model is None or model.metadata.deletion_timestamp is not None
    if drained(draft, v) or (deleted and draft.now >= boxed):
        _end(v, ending)


def _end(v: VersionDraft, ending: Outcome) -> None:
    v.set(outcome=ending.model_copy(update={"at": v.now}), capacity_wait_since=None)
    if v.is_true(ConditionType.CANDIDATE_READY):
        said = "the version is over and its backend gone"
        kind = ConditionType.CANDIDATE_READY
        v.condition(kind, FALSE, reason=Reason.NOT_SERVING, message=said)
    # what is over is not stalled and not paused: its outcome says it all
    over = {ConditionType.STALLED, ConditionType.PAUSED}
    v.set(conditions=tuple(c for c in v.status.conditions if c.type not in over))


def _start(draft: Draft, v: VersionDraft, *, since: datetime | None) -> None:
    """The drain's clock begins when the routes without it are applied."""
    assert v.rollout is not None
    if v.rollout.drain_started_at is not None:
        return
    expiry = timedelta(seconds=HEARTBEAT_EXPIRY_SECONDS)
    silent = not draft.gateways and since is not None and draft.now - since > expiry
    if unrouted(draft, v) or silent:
        v.set_rollout(drain_started_at=draft.now)


def drained(draft: Draft, v: VersionDraft) -> bool:
    """Nothing of it is in flight any more, or it had ``drainSeconds`` to end."""
    began = v.rollout.drain_started_at if v.rollout is not None else None
    if began is None:
        return False
    spent = draft.now - began
    if spent >= timedelta(seconds=v.serving.drain_seconds):
        return True
    in_flight = draft.snapshot.in_flight
    # what was counted when the routes were applied may be older than them: ask once more
    return in_flight is not None and not in_flight.get(v.name) and spent > timedelta(0)
