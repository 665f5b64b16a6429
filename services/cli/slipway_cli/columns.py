"""The printer columns of both kinds, as ``kubectl get`` shows them from the CRD.

``tests/unit/cli/test_columns.py`` holds them to the CRD's, so that both tools print one table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from slipway_cli.render import NONE, age
from slipway_cli.resources import Kind, Resource
from slipway_contracts.conditions import Condition, ConditionType, find_condition
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """``wide`` columns are shown with ``-o wide`` only."""

    name: str
    cell: Callable[[Resource, datetime], str]
    wide: bool = False


def columns(kind: Kind, *, wide: bool) -> list[Column]:
    """Of one kind, in order."""
    every = MODEL_COLUMNS if kind is Kind.MODEL else VERSION_COLUMNS
    return [column for column in every if wide or not column.wide]


def rows(
    resources: Sequence[Resource], kind: Kind, *, wide: bool, now: datetime
) -> list[list[str]]:
    """One row a resource."""
    return [[column.cell(r, now) for column in columns(kind, wide=wide)] for r in resources]


def condition_status(conditions: tuple[Condition, ...], kind: ConditionType) -> str:
    """``True``, ``False``, ``Unknown`` or nothing yet."""
    found = find_condition(conditions, kind)
    return found.status.value if found else NONE


def _of_version(cell: Callable[[ModelVersion], str]) -> Callable[[Resource, datetime], str]:
    return lambda resource, now: cell(resource) if isinstance(resource, ModelVersion) else NONE


def _of_model(cell: Callable[[Model], str]) -> Callable[[Resource, datetime], str]:
    return lambda resource, now: cell(resource) if isinstance(resource, Model) else NONE


def _weight(version: ModelVersion) -> str:
    rollout = version.status.rollout
    return NONE if rollout is None else str(rollout.weight_observed)


def _gates(version: ModelVersion) -> str:
    evaluation = version.status.evaluation
    return NONE if evaluation is None else evaluation.summary


def _step(version: ModelVersion) -> str:
    rollout = version.status.rollout
    return NONE if rollout is None else str(rollout.step)


def _name(resource: Resource, now: datetime) -> str:
    return resource.metadata.name


def _age(resource: Resource, now: datetime) -> str:
    return age(resource.metadata.creation_timestamp, now)


def _ready(resource: Resource, now: datetime) -> str:
    return condition_status(resource.status.conditions, ConditionType.READY)


VERSION_COLUMNS = (
    Column(name="Name", cell=_name),
    Column(name="Model", cell=_of_version(lambda v: v.spec.model)),
    Column(name="Phase", cell=_of_version(lambda v: v.status.phase.value)),
    Column(name="Weight", cell=_of_version(_weight)),
    Column(name="Eval", cell=_of_version(_gates)),
    Column(name="Ready", cell=_ready),
    Column(name="Step", cell=_of_version(_step), wide=True),
    Column(name="Progress", cell=_of_version(lambda v: v.status.progress or NONE), wide=True),
    Column(name="Reason", cell=_of_version(lambda v: v.status.reason or NONE), wide=True),
    Column(name="Age", cell=_age),
)
MODEL_COLUMNS = (
    Column(name="Name", cell=_name),
    Column(name="Task", cell=_of_model(lambda m: m.spec.task.value)),
    Column(name="Stable", cell=_of_model(lambda m: m.status.stable or NONE)),
    Column(name="Candidate", cell=_of_model(lambda m: m.status.candidate or NONE)),
    Column(name="Ready", cell=_ready),
    Column(name="Routes", cell=_of_model(lambda m: str(m.status.routes_revision)), wide=True),
    Column(name="Applied", cell=_of_model(lambda m: str(m.status.routes_applied)), wide=True),
    Column(name="Pinned", cell=_of_model(lambda m: m.spec.pinned_version or NONE), wide=True),
    Column(name="Age", cell=_age),
)
