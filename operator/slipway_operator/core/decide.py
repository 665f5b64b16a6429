"""``decide``: a snapshot of one Model → everything that should be true. Pure and idempotent.

The policies run in the order of a version's life, again and again until nothing changes, so that
deciding on what was decided changes nothing. What should exist is then derived from the statuses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from slipway_contracts.model import Model, ModelStatus
from slipway_contracts.model_version import ModelVersion, ModelVersionStatus
from slipway_operator.core.backends import desired_backends
from slipway_operator.core.decision import Decision, EventRecord
from slipway_operator.core.draft import Draft, VersionDraft
from slipway_operator.core.events import condition_events, version_events
from slipway_operator.core.leftovers import leftover_backends
from slipway_operator.core.model_state import model_status
from slipway_operator.core.policies.accept import accept
from slipway_operator.core.policies.begin import begin
from slipway_operator.core.policies.canary import canary
from slipway_operator.core.policies.deploy import deploy
from slipway_operator.core.policies.drain import DELETION_BOX, drain
from slipway_operator.core.policies.evaluate import evaluate
from slipway_operator.core.policies.pause import pause
from slipway_operator.core.policies.probe import probe
from slipway_operator.core.policies.recover import recover
from slipway_operator.core.policies.report import report
from slipway_operator.core.policies.retire import retire
from slipway_operator.core.policies.rollback import rollback
from slipway_operator.core.policies.shadow import shadow
from slipway_operator.core.policies.slot import revive, slot
from slipway_operator.core.policies.split import split
from slipway_operator.core.policies.train import train
from slipway_operator.core.policies.watch import watch
from slipway_operator.core.snapshot import Snapshot
from slipway_operator.core.traffic import route_for, settled

Policy = Callable[[Draft], None]

POLICIES: tuple[Policy, ...] = (
    recover,
    accept,
    retire,
    split,
    train,
    evaluate,
    pause,
    deploy,
    probe,
    rollback,
    begin,
    shadow,
    canary,
    watch,
    drain,
    revive,
    slot,
    report,
)

# A chain of transitions that need no answer from outside is short; this only bounds a mistake.
ROUNDS = 12
AT_ONCE_SECONDS = 0.05
# Level-triggered: something that serves is looked at again even when nothing is heard.
IDLE_SECONDS = 15.0


def decide(snapshot: Snapshot) -> Decision:
    """The fixpoint of the policies over ``snapshot``, and the events between it and the start."""
    current, decision = snapshot, _round(snapshot)
    for _ in range(ROUNDS):
        following = fed_back(current, decision)
        if following == current:
            return replace(decision, events=_events(snapshot, decision))
        current, decision = following, _round(following)
    # not settled in itself: what was decided so far is right as far as it goes; go on at once
    return replace(decision, events=_events(snapshot, decision), requeue_after=AT_ONCE_SECONDS)


def fed_back(snapshot: Snapshot, decision: Decision) -> Snapshot:
    """The same moment with the decided statuses."""
    statuses = decision.version_statuses
    versions = tuple(
        _with(version, statuses[version.metadata.name]) for version in snapshot.versions
    )
    model = snapshot.model
    if model is not None and decision.model_status is not None:
        model = _with(model, decision.model_status)
    return replace(snapshot, versions=versions, model=model)


Stated = TypeVar("Stated", Model, ModelVersion)


def _with(obj: Stated, status: ModelStatus | ModelVersionStatus) -> Stated:
    """The object with that status: itself where it has it, so that a comparison is at once over."""
    return obj if status is obj.status else obj.model_copy(update={"status": status})


def _round(snapshot: Snapshot) -> Decision:
    draft = Draft.of(snapshot)
    for policy in POLICIES:
        policy(draft)
    return _decision(draft)


def _decision(draft: Draft) -> Decision:
    snapshot, model = draft.snapshot, draft.model
    statuses = {v.name: v.status for v in draft}
    if snapshot.namespace_terminating:
        return Decision(
            model_status=model.status if model is not None else None,
            version_statuses=statuses,
            release_versions=tuple(v.name for v in draft if v.deleted),
            release_model=_ends(model),
        )
    released = tuple(v.name for v in draft if _released(draft, v))
    if model is None:
        return Decision(
            version_statuses=statuses, release_versions=released, requeue_after=_requeue(draft)
        )
    route = route_for(draft)
    status = model_status(draft, model, route)
    gone = _ends(model) and all(v.over for v in draft) and not status.leftovers
    return Decision(
        runs=tuple(draft.runs[name] for name in sorted(draft.runs)),
        backends=(*desired_backends(draft), *leftover_backends(draft, status.leftovers)),
        route=None if gone else route,
        model_status=status,
        version_statuses=statuses,
        release_versions=released,
        release_model=gone and not snapshot.backends,
        requeue_after=_requeue(draft),
    )


def _ends(model: Model | None) -> bool:
    return model is not None and model.metadata.deletion_timestamp is not None


def _released(draft: Draft, v: VersionDraft) -> bool:
    """Deleted, drained, and nothing of it left to see (or seen too long)."""
    outcome = v.status.outcome
    if not v.deleted:
        return False
    if draft.model is None or v.seen is None:
        return draft.model is None or outcome is not None
    return outcome is not None and draft.now >= outcome.at + DELETION_BOX


def _requeue(draft: Draft) -> float | None:
    """The soonest wish; now and then while something serves; None when only a person can go on."""
    lost = any(v.promoted and not v.over and not v.ready for v in draft)
    if lost or (_ends(draft.model) and draft.snapshot.backends):
        draft.wake_in(2)
    if draft.gateways and draft.model is not None and not settled(draft):
        draft.wake_in(1)
    if draft.roles.stable is not None:
        draft.wake_in(IDLE_SECONDS)
    return min(draft.wakes, default=None)


def _events(snapshot: Snapshot, decision: Decision) -> tuple[EventRecord, ...]:
    events: list[EventRecord] = []
    for version in snapshot.versions:
        name = version.metadata.name
        events += version_events(name, version.status, decision.version_statuses[name])
    model = snapshot.model
    if model is not None:
        after = decision.model_status or ModelStatus()
        events += condition_events(
            "Model", model.metadata.name, before=model.status.conditions, after=after.conditions
        )
    return tuple(events)
