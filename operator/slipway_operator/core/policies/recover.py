"""A status that was lost is rebuilt from the backend that still runs and the route that is stored.

Only a backend of this very object (its name carries the uid) proves that the status was lost; an
object that was replaced has a new uid and begins anew. What cannot be known (earlier verdicts) is
earned again: a candidate restarts the rung that it stands on.
"""

from __future__ import annotations

from datetime import timedelta

from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.conditions import Reason
from slipway_contracts.model_version import RolloutStatus
from slipway_contracts.names import attempt_id, child_name
from slipway_contracts.route import BackendRoute
from slipway_operator.core.draft import Draft, VersionDraft
from slipway_operator.core.rungs import begin_rollout, rung_at
from slipway_operator.core.snapshot import BackendObservation


def recover(draft: Draft) -> None:
    """Versions without a status, but with a backend of their own."""
    for v in draft:
        if v.status.attempt or v.specs is None:
            continue
        attempt = attempt_id(v.spec.retry.id)
        name = child_name(v.name, v.uid, attempt)
        seen = draft.snapshot.backends.get(name)
        artifact = _artifact(draft, v, seen) if seen is not None else None
        if seen is not None and artifact is not None:
            _rebuild(draft, v, seen, artifact=artifact)


def _artifact(draft: Draft, v: VersionDraft, seen: BackendObservation) -> ArtifactRef | None:
    """What the backend was started with; else what the run made, if it is remembered."""
    if seen.artifact is not None:
        return seen.artifact
    attempt = attempt_id(v.spec.retry.id)
    names = (child_name(v.name, v.uid, attempt, kind) for kind in ("train", "import"))
    runs = (draft.snapshot.runs.get(name) for name in names)
    results = (run.result for run in runs if run is not None and run.result is not None)
    return next((result.artifact for result in results if result.artifact is not None), None)


def _rebuild(
    draft: Draft, v: VersionDraft, seen: BackendObservation, *, artifact: ArtifactRef
) -> None:
    assert v.specs is not None
    v.seen = seen
    v.set(
        attempt=attempt_id(v.spec.retry.id),
        attempt_number=1,
        backend=seen.name,
        serving=seen.serving or v.specs.serving,
        artifact=artifact,
    )
    backends = draft.stored.backends if draft.stored is not None else ()
    entry = next((b for b in backends if b.version == v.name and b.url == seen.url), None)
    if entry is not None:
        _resume(draft, v, entry)


def _resume(draft: Draft, v: VersionDraft, entry: BackendRoute) -> None:
    if entry.role == "candidate":
        v.set(slot_taken_at=draft.now)
        begin_rollout(draft, v)
        assert v.rollout is not None
        rung_at(v, entry.weight, plan=v.rollout.plan)
        return
    if entry.role == "fixed":
        v.set_rollout(started_at=draft.now)
        return
    # the old one must stay the older one
    back = timedelta(seconds=1 if entry.role == "previous" else 0)
    holds = entry.role == "stable" and len(draft.stored.backends if draft.stored else ()) > 1
    v.set(
        slot_taken_at=draft.now if holds else None,
        rollout=RolloutStatus(
            started_at=draft.now - back,
            promoted_at=draft.now - back,
            decided_by=Reason.PROMOTED,
            decided_at=draft.now - back,
        ),
    )
