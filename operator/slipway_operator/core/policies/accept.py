"""Acceptance: the attempt begins, the effective serving is snapshotted, nonsense is refused.

A refusal is a condition that names the field and the fix. A new retry nonce after the end of an
attempt is a clean restart; an artifact that was made once stays this version's artifact, unless it
was the artifact itself that was refused.
"""

from __future__ import annotations

from slipway_contracts.conditions import ConditionType, Reason
from slipway_contracts.model_version import (
    HISTORY_LIMIT,
    HistoryEntry,
    ModelVersionStatus,
)
from slipway_contracts.names import attempt_id, child_name
from slipway_contracts.serving import ServingMode
from slipway_operator.core.draft import FALSE, TRUE, Draft, VersionDraft

_ARTIFACT_AT_FAULT = frozenset({Reason.DIGEST_MISMATCH, Reason.ARTIFACT_REFUSED})


def accept(draft: Draft) -> None:
    """Every version that is not being deleted."""
    for v in draft:
        if v.deleted:
            continue
        _attempt(v)
        reason, message = _refusal(v)
        if reason is not Reason.ACCEPTED:
            v.condition(ConditionType.ACCEPTED, FALSE, reason=reason, message=message)
            continue
        if v.status.serving is None:
            v.set(serving=v.serving)
        v.condition(ConditionType.ACCEPTED, TRUE, reason=reason, message=message)


def _attempt(v: VersionDraft) -> None:
    wanted = attempt_id(v.spec.retry.id)
    status = v.status
    if status.attempt == wanted:
        return
    if not status.attempt:
        v.set(attempt=wanted, attempt_number=1, backend=child_name(v.name, v.uid, wanted))
    elif status.outcome is not None:
        _restart(v, wanted)


def _restart(v: VersionDraft, wanted: str) -> None:
    old = v.status
    assert old.outcome is not None
    entry = HistoryEntry(
        attempt=old.attempt, phase=old.outcome.phase, reason=old.outcome.reason, at=old.outcome.at
    )
    keep = old.outcome.reason not in _ARTIFACT_AT_FAULT
    v.status = ModelVersionStatus(
        attempt=wanted,
        attempt_number=old.attempt_number + 1,
        backend=child_name(v.name, v.uid, wanted),
        artifact=old.artifact if keep else None,
        lineage=old.lineage if keep else None,
        training=old.training if keep else None,
        history=(*old.history, entry)[-HISTORY_LIMIT:],
    )


def _refusal(v: VersionDraft) -> tuple[Reason, str]:
    if v.specs is None:
        return (
            Reason.MODEL_NOT_FOUND,
            f"Model {v.spec.model} does not exist; apply it, or correct spec.model",
        )
    if v.specs.problem:
        return Reason.INVALID, f"spec does not fit its Model's defaults: {v.specs.problem}"
    if v.serving.mode is ServingMode.ADAPTER_ON_STABLE:
        return (
            Reason.MODE_NOT_SUPPORTED,
            "serving.mode AdapterOnStable is not supported; use BlueGreen or Recreate",
        )
    if v.name in {_base_version(v), _adapter_base(v)}:
        return Reason.INVALID, f"{v.name} names itself as its base; name another version"
    return Reason.ACCEPTED, f"attempt {v.status.attempt_number}"


def _base_version(v: VersionDraft) -> str | None:
    training = v.spec.source.training
    return training.base.version if training is not None and training.base is not None else None


def _adapter_base(v: VersionDraft) -> str | None:
    return v.spec.source.adapter.base if v.spec.source.adapter is not None else None
