"""Conditions, the computed fields of a status, and the metric catalogue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slipway_contracts.conditions import (
    Condition,
    ConditionStatus,
    ConditionType,
    Phase,
    Reason,
    find_condition,
    set_condition,
)
from slipway_contracts.metrics import CATALOGUE
from slipway_contracts.model_version import EvaluationStatus, ModelVersionStatus, Outcome

START = datetime(2026, 1, 1, tzinfo=UTC)


def a_condition(
    kind: ConditionType = ConditionType.READY,
    *,
    status: ConditionStatus = ConditionStatus.TRUE,
    reason: Reason = Reason.SERVING,
    minute: int = 0,
) -> Condition:
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        last_transition_time=START + timedelta(minutes=minute),
    )


def test_a_condition_is_appended_then_replaced() -> None:
    conditions = set_condition((), a_condition())
    conditions = set_condition(conditions, a_condition(ConditionType.STALLED))
    conditions = set_condition(conditions, a_condition(reason=Reason.HEALTHY))
    assert [c.type for c in conditions] == [ConditionType.READY, ConditionType.STALLED]
    assert conditions[0].reason is Reason.HEALTHY


@pytest.mark.parametrize(
    ("status", "minute"), [(ConditionStatus.TRUE, 0), (ConditionStatus.FALSE, 5)]
)
def test_the_transition_time_moves_only_on_a_flip(status: ConditionStatus, minute: int) -> None:
    conditions = set_condition((), a_condition())
    conditions = set_condition(conditions, a_condition(status=status, minute=5))
    assert conditions[0].last_transition_time == START + timedelta(minutes=minute)


def test_finding() -> None:
    assert find_condition((a_condition(),), ConditionType.READY) is not None
    assert find_condition((a_condition(),), ConditionType.STALLED) is None


def a_status(**values: Any) -> ModelVersionStatus:
    return ModelVersionStatus.model_validate(values)


@pytest.mark.parametrize(
    ("status", "progress"),
    [
        (a_status(), ""),
        (a_status(phase="Training", training={"step": 120, "maxSteps": 400}), "120/400"),
        (a_status(phase="Canary", rollout={"step": 1, "plan": [10, 50]}), "2/2"),
        (a_status(phase="Promoting", rollout={"step": 2, "plan": [10, 50]}), "2/2"),
        (a_status(phase="Serving", rollout={"step": 1, "plan": [10, 50]}), ""),
        (a_status(phase="Canary", rollout={"step": -1}), ""),
    ],
)
def test_progress(status: ModelVersionStatus, progress: str) -> None:
    assert status.progress == progress


def test_the_reason_is_what_holds_it_up_else_what_decided_it_else_the_last_change() -> None:
    accepted = a_condition(ConditionType.ACCEPTED, reason=Reason.ACCEPTED)
    ready = a_condition(ConditionType.CANDIDATE_READY, reason=Reason.BACKEND_READY, minute=3)
    stalled = a_condition(ConditionType.STALLED, reason=Reason.INSUFFICIENT_CAPACITY)
    decided = {"decidedBy": "AnalysisFailed"}
    assert a_status().reason == ""
    assert a_status(conditions=(accepted, ready)).reason == "BackendReady"
    assert a_status(conditions=(accepted, ready), rollout=decided).reason == "AnalysisFailed"
    assert a_status(conditions=(stalled,), rollout=decided).reason == "InsufficientCapacity"
    ended = Outcome(phase=Phase.FAILED, reason=Reason.OOM_KILLED, at=datetime.now(UTC))
    assert a_status(conditions=(stalled, ready), ending=ended).reason == "OOMKilled"


def test_what_is_computed_is_written_and_not_read() -> None:
    status = a_status(phase="Training", training={"step": 1, "maxSteps": 2})
    wire = status.wire()
    assert wire["progress"] == "1/2"
    assert ModelVersionStatus.model_validate(wire | {"progress": "nonsense"}) == status
    assert EvaluationStatus(passed=4, total=5).wire()["summary"] == "4/5"


IN_NAMES = {"seconds", "bytes", "percent"}


def test_metric_names_carry_their_unit_and_have_help() -> None:
    for metric in CATALOGUE:
        assert metric.help.endswith(".")
        assert metric.kind != "counter" or metric.name.endswith("_total")
        words = set(metric.name.split("_"))
        assert words & IN_NAMES == {metric.unit} & IN_NAMES, metric.name
        assert (metric.kind == "histogram") == bool(metric.buckets)
        assert metric.buckets == tuple(sorted(set(metric.buckets)))
        for label in metric.of:
            assert bool(label.values) != bool(label.bound), (metric.name, label.name)
    assert len({metric.name for metric in CATALOGUE}) == len(CATALOGUE)
