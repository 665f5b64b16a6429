"""The candidate's backend: ready, starting, without room, or broken.

No room is said at once and acted on after ``capacityTimeout``; stable is never touched by it. A
candidate that stops answering gets no weight (``traffic``) and the same time to come back.
"""

from __future__ import annotations

from slipway_contracts.conditions import ConditionType, Phase, Reason
from slipway_operator.core.draft import FALSE, TRUE, Draft, VersionDraft
from slipway_operator.core.snapshot import BackendObservation, BackendState


def deploy(draft: Draft) -> None:
    """Follow the backend of whoever holds the slot and is not promoted."""
    v = draft.roles.candidate
    if v is None or not v.live:
        return
    draft.wake_in(1)
    seen = v.seen
    state = seen.state if seen is not None else None
    if state is not BackendState.NO_CAPACITY:
        v.condition(ConditionType.STALLED, FALSE, reason=Reason.IN_PROGRESS)
    if seen is not None and state is BackendState.READY:
        v.set(capacity_wait_since=None)
        v.condition(
            ConditionType.CANDIDATE_READY, TRUE, reason=Reason.BACKEND_READY, message=seen.url
        )
    elif seen is not None and state is BackendState.FAILED:
        _failed(v, seen)
    elif seen is not None and state is BackendState.NO_CAPACITY:
        _no_capacity(draft, v, seen)
    elif v.rollout is not None:
        _lost(draft, v)
    else:
        _starting(draft, v)


def _failed(v: VersionDraft, seen: BackendObservation) -> None:
    served = v.rollout is not None
    reason = seen.reason or (Reason.BACKEND_LOST if served else Reason.STARTUP_FAILED)
    said = seen.message or f"backend {seen.name} failed; read its log"
    message = f"{said}; correct the cause, then set spec.retry.id"
    v.condition(ConditionType.CANDIDATE_READY, FALSE, reason=reason, message=message)
    if reason in {Reason.DIGEST_MISMATCH, Reason.ARTIFACT_REFUSED}:
        v.condition(ConditionType.ARTIFACT_VERIFIED, FALSE, reason=reason, message=said)
    v.leave(Phase.ROLLED_BACK if served else Phase.FAILED, reason, message=message)


def _no_capacity(draft: Draft, v: VersionDraft, seen: BackendObservation) -> None:
    said = seen.message or "no room for the backend; add a node, or lower serving.resources"
    for kind, status in ((ConditionType.STALLED, TRUE), (ConditionType.CANDIDATE_READY, FALSE)):
        v.condition(kind, status, reason=Reason.INSUFFICIENT_CAPACITY, message=said)
    if waited_too_long(draft, v):
        phase = Phase.ROLLED_BACK if v.rollout is not None else Phase.FAILED
        v.leave(phase, Reason.INSUFFICIENT_CAPACITY, message=f"{said} (capacityTimeout is over)")


def _lost(draft: Draft, v: VersionDraft) -> None:
    seen = v.seen
    broken = seen is not None and seen.state is BackendState.UNHEALTHY
    # where it is known why, the reason says so: out of memory, no room to come back
    reason = (seen.reason if seen is not None and broken else None) or Reason.BACKEND_LOST
    why = seen.message if seen is not None and broken else ""
    said = f"{why or 'the backend does not answer'}; it gets no weight until it does"
    v.condition(ConditionType.CANDIDATE_READY, FALSE, reason=reason, message=said)
    if waited_too_long(draft, v):
        late = "the backend did not come back within serving.capacityTimeout; read its log"
        v.leave(Phase.ROLLED_BACK, reason, message=f"{why}; {late}" if why else late)


def waited_too_long(draft: Draft, v: VersionDraft) -> bool:
    """Start or read its patience; over after ``serving.capacityTimeout``."""
    since = v.status.capacity_wait_since or draft.now
    v.set(capacity_wait_since=since)
    draft.wake_at(since + v.serving.capacity_timeout)
    return draft.now - since > v.serving.capacity_timeout


def _starting(draft: Draft, v: VersionDraft) -> None:
    taken = v.status.slot_taken_at
    assert taken is not None and v.specs is not None
    v.set(capacity_wait_since=None)
    said = v.seen.message if v.seen is not None else ""
    v.condition(
        ConditionType.CANDIDATE_READY,
        FALSE,
        reason=Reason.STARTING,
        message=said or f"backend {v.status.backend} is starting",
    )
    limit = v.specs.rollout.max_duration
    draft.wake_at(taken + limit)
    if draft.now - taken > limit:
        message = "the backend was not ready within rollout.maxDuration; read its log"
        v.leave(Phase.FAILED, Reason.DEADLINE_EXCEEDED, message=message)
