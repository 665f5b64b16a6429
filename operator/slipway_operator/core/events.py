"""Events: the difference between the statuses before and after a pass. Pure.

Because an event is a difference, deciding again on what was decided makes none.
"""

from __future__ import annotations

from typing import Literal

from slipway_contracts.conditions import (
    Condition,
    ConditionStatus,
    ConditionType,
    Phase,
    Reason,
    find_condition,
)
from slipway_contracts.model_version import ModelVersionStatus, Outcome
from slipway_operator.core.decision import EventRecord

Kind = Literal["Model", "ModelVersion"]

# Display only, or said by another event.
_SILENT = frozenset({ConditionType.TRAFFIC_APPLIED, ConditionType.ARTIFACT_VERIFIED})
_QUIET = frozenset({Reason.NO_DATA, Reason.ANALYSIS_RUNNING, Reason.NOT_SERVING})
_ALARMING = frozenset(
    {
        Reason.INVALID,
        Reason.MODEL_NOT_FOUND,
        Reason.MODE_NOT_SUPPORTED,
        Reason.GATE_FAILED,
        Reason.EVALUATION_ERROR,
        Reason.INSUFFICIENT_CAPACITY,
        Reason.BACKEND_LOST,
        Reason.ANALYSIS_FAILED,
        Reason.GUARD_TRIPPED,
        Reason.METRICS_UNAVAILABLE,
        Reason.TRAINING_FAILED,
        Reason.IMPORT_FAILED,
    }
)
_BAD_ENDS = frozenset({Phase.FAILED, Phase.REJECTED, Phase.ROLLED_BACK})


def version_events(
    name: str, before: ModelVersionStatus, after: ModelVersionStatus
) -> list[EventRecord]:
    """The transitions of one version."""
    events = []
    if after.attempt_number > before.attempt_number > 0:
        message = f"attempt {after.attempt_number} begins"
        events.append(_event("ModelVersion", name, Reason.RETRIED, message=message))
    elif after.attempt_number == before.attempt_number:
        events += _steps(name, before, after)
    ends = _ends(name, before, after)
    said = {event.reason for event in ends}
    changed = condition_events(
        "ModelVersion", name, before=before.conditions, after=after.conditions
    )
    # an end says its reason once, with the whole message
    events += [event for event in changed if event.reason not in said | _QUIET]
    return events + ends


def condition_events(
    kind: Kind, name: str, *, before: tuple[Condition, ...], after: tuple[Condition, ...]
) -> list[EventRecord]:
    """One for each condition whose status or reason changed; a first, idle one says nothing."""
    events = []
    for new in after:
        old = find_condition(before, new.type)
        same = old is not None and (old.status, old.reason) == (new.status, new.reason)
        idle = old is None and new.status is ConditionStatus.FALSE and not new.message
        if not same and not idle and new.type not in _SILENT:
            events.append(_event(kind, name, new.reason, message=new.message))
    return events


def _steps(name: str, before: ModelVersionStatus, after: ModelVersionStatus) -> list[EventRecord]:
    old = before.rollout.weight_desired if before.rollout is not None else 0
    new = after.rollout.weight_desired if after.rollout is not None else 0
    if old == new:
        return []
    message = f"weight {old} % → {new} %"
    return [_event("ModelVersion", name, Reason.IN_PROGRESS, message=message)]


def _ends(name: str, before: ModelVersionStatus, after: ModelVersionStatus) -> list[EventRecord]:
    if after.outcome is not None and before.outcome is None:
        return [_end(name, after.outcome, said="is")]
    if after.ending is not None and before.ending is None:
        return [_end(name, after.ending, said="ends as")]
    return []


def _end(name: str, outcome: Outcome, *, said: str) -> EventRecord:
    return EventRecord(
        kind="ModelVersion",
        name=name,
        type="Warning" if outcome.phase in _BAD_ENDS else "Normal",
        reason=outcome.reason,
        message=f"{said} {outcome.phase}: {outcome.message}",
    )


def _event(kind: Kind, name: str, reason: Reason, *, message: str) -> EventRecord:
    return EventRecord(
        kind=kind,
        name=name,
        type="Warning" if reason in _ALARMING else "Normal",
        reason=reason,
        message=message,
    )
