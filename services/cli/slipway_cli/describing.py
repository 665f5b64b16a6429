"""One object → the lines of ``slipway describe``. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from slipway_cli.render import NONE, age, moment, table, to_yaml
from slipway_cli.resources import Resource
from slipway_contracts.conditions import Condition
from slipway_contracts.evaluation import GateResult
from slipway_contracts.model import Model, ModelStatus
from slipway_contracts.model_version import (
    EvaluationStatus,
    HistoryEntry,
    ModelVersion,
    ModelVersionStatus,
    RolloutStatus,
    TrainingStatus,
)
from slipway_store.events import Event

INDENT = "  "


def describe(resource: Resource, events: Sequence[Event], *, now: datetime) -> list[str]:
    """Sections in the order in which a person asks: what, how is it, why, what happened."""
    lines = list(_head(resource, now))
    if isinstance(resource, Model):
        lines += _model(resource.status)
    else:
        lines += _version(resource, now)
    lines += _section("Conditions", _conditions(resource.status.conditions, now))
    lines += _section("Spec", to_yaml(resource.spec.sparse()).splitlines())
    return lines + _section("Events", event_lines(events, now=now))


def event_lines(events: Sequence[Event], *, now: datetime, named: bool = False) -> list[str]:
    """A table of events, oldest first; ``named`` adds the object."""
    if not events:
        return []
    headers = ["Age", "Type", "Reason", *(["Object"] if named else []), "Message"]
    cells = [
        [age(e.at, now), e.type, e.reason, *([f"{e.kind}/{e.name}"] if named else []), e.message]
        for e in events
    ]
    return table(headers, cells)


def _head(resource: Resource, now: datetime) -> Iterator[str]:
    metadata = resource.metadata
    yield f"{resource.kind} {metadata.name}"
    yield from _fields(
        (
            "Created",
            f"{moment(metadata.creation_timestamp)} ({age(metadata.creation_timestamp, now)})",
        ),
        ("Uid", metadata.uid),
        ("Generation", f"{metadata.generation} (observed {resource.status.observed_generation})"),
        ("Labels", ", ".join(f"{k}={v}" for k, v in sorted(metadata.labels.items()))),
        ("Deleting", moment(metadata.deletion_timestamp) if metadata.deletion_timestamp else ""),
    )


def _model(status: ModelStatus) -> Iterator[str]:
    yield from _fields(
        ("Stable", status.stable or NONE),
        ("Candidate", status.candidate or NONE),
        ("Previous", status.previous or NONE),
        ("Routes", f"revision {status.routes_revision}, applied {status.routes_applied}"),
        ("Watch until", moment(status.watch_until) if status.watch_until else ""),
    )
    rows = [[r.version, str(r.weight), r.endpoint or NONE] for r in status.routes]
    yield from _section("Traffic", table(["Version", "Weight", "Endpoint"], rows) if rows else [])


def _version(version: ModelVersion, now: datetime) -> Iterator[str]:
    status = version.status
    yield from _fields(
        ("Model", version.spec.model),
        ("Phase", status.phase.value),
        ("Reason", status.reason),
        ("Wanted", version.spec.desired_state),
        ("Attempt", f"{status.attempt_number} ({status.attempt})" if status.attempt else ""),
        ("Backend", status.backend),
        ("Artifact", f"{status.artifact.uri} {status.artifact.digest}" if status.artifact else ""),
    )
    if status.training is not None:
        yield from _section("Training", _training(status.training))
    if status.evaluation is not None:
        yield from _section("Evaluation", _evaluation(status.evaluation))
    if status.rollout is not None:
        yield from _section("Rollout", _rollout(status.rollout, now))
    yield from _section("Lineage", _lineage(status))
    yield from _section("History", _history(status.history))


def _training(training: TrainingStatus) -> list[str]:
    loss = NONE if training.loss is None else f"{training.loss:.4f}"
    return list(
        _fields(
            ("Run", training.run),
            ("Step", f"{training.step}/{training.max_steps}"),
            ("Loss", loss),
            ("Tokens/s", f"{training.tokens_per_second:.0f}" if training.tokens_per_second else ""),
            ("Restarts", str(training.restarts) if training.restarts else ""),
        )
    )


def _evaluation(evaluation: EvaluationStatus) -> list[str]:
    lines = list(
        _fields(
            ("Run", evaluation.run),
            ("Compared with", evaluation.baseline or NONE),
            ("Gates passed", evaluation.summary),
        )
    )
    return lines + (_gates(evaluation.gates) if evaluation.gates else [])


def _gates(gates: Sequence[GateResult]) -> list[str]:
    rows = [
        [
            gate.metric,
            "passed" if gate.passed else "FAILED",
            _figure(gate.value),
            _figure(gate.baseline),
            str(gate.samples),
            gate.message,
        ]
        for gate in gates
    ]
    return table(["Gate", "Outcome", "Value", "Baseline", "Samples", "Message"], rows)


def _rollout(rollout: RolloutStatus, now: datetime) -> list[str]:
    plan = " → ".join(f"{weight} %" for weight in rollout.plan)
    lines = list(
        _fields(
            ("Plan", plan),
            ("Started", age(rollout.started_at, now) + " ago" if rollout.started_at else ""),
            ("Weight", f"{rollout.weight_observed} % (wanted {rollout.weight_desired} %)"),
            ("Verdict", " ".join(filter(None, [rollout.verdict, rollout.message]))),
            ("Decided by", rollout.decided_by.value if rollout.decided_by else ""),
        )
    )
    rows = [
        [
            str(step.step),
            f"{step.weight} %",
            moment(step.started_at),
            moment(step.ended_at),
            str(step.requests),
            str(step.bad),
            step.verdict,
        ]
        for step in rollout.steps
    ]
    headers = ["Step", "Weight", "Started", "Ended", "Requests", "Bad", "Verdict"]
    return lines + (table(headers, rows) if rows else [])


def _lineage(status: ModelVersionStatus) -> list[str]:
    if status.lineage is None:
        return []
    return [f"{key}: {value}" for key, value in status.lineage.wire().items()]


def _history(history: Sequence[HistoryEntry]) -> list[str]:
    rows = [[h.attempt, h.phase.value, h.reason.value, moment(h.at)] for h in history]
    return table(["Attempt", "Phase", "Reason", "At"], rows) if rows else []


def _conditions(conditions: Sequence[Condition], now: datetime) -> list[str]:
    rows = [
        [c.type.value, c.status.value, c.reason.value, age(c.last_transition_time, now), c.message]
        for c in conditions
    ]
    return table(["Type", "Status", "Reason", "Since", "Message"], rows) if rows else []


def _figure(value: float | None) -> str:
    return NONE if value is None else f"{value:.6g}"


def _fields(*pairs: tuple[str, str]) -> Iterator[str]:
    width = max(len(name) for name, _ in pairs) + 1
    return (f"{name + ':':<{width}} {value}" for name, value in pairs if value)


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"{title}:", *(INDENT + line for line in lines)] if lines else []
