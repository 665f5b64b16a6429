"""What ``apply`` will do, decided before anything is written.

Pure: desired resources and what is stored in, changes or a list of refusals out. What the verbs
set (pause, pin, approval, retry) stays as it is where the manifest says nothing about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from slipway_cli.errors import Conflict, InvalidInput
from slipway_cli.refusals import explain
from slipway_cli.resources import Kind, Resource, label
from slipway_contracts.evaluation import Evaluation
from slipway_contracts.model import Model, ModelSpec
from slipway_contracts.model_version import ModelVersion
from slipway_contracts.rollout import Rollout
from slipway_contracts.serving import Serving

VERB_FIELDS: dict[Kind, tuple[str, ...]] = {
    Kind.MODEL: ("pinnedVersion",),
    Kind.VERSION: ("approval", "desiredState", "retry"),
}


OVERRIDES = ("serving", "evaluation", "rollout")


class Action(StrEnum):
    """What happens to one object; the words that ``apply`` prints."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One object. ``current`` is None when it is created; ``spec`` is what will be stored."""

    action: Action
    resource: Resource
    current: Resource | None
    spec: Mapping[str, Any]


def plan_apply(
    desired: Sequence[Resource], stored: Mapping[tuple[Kind, str], Resource]
) -> list[Change]:
    """Models before versions. Raises InvalidInput or Conflict with every refusal, one a line."""
    ordered = sorted(desired, key=lambda resource: not isinstance(resource, Model))
    models = {r.metadata.name: r for r in stored.values() if isinstance(r, Model)}
    models |= {r.metadata.name: r for r in ordered if isinstance(r, Model)}
    refused = [line for r in ordered for line in _refusals(r, stored.get(_key(r)), models)]
    if refused:
        raise InvalidInput("\n".join([*refused, "nothing was applied"]))
    leaving = [
        current
        for current in (stored.get(_key(r)) for r in ordered)
        if current is not None and current.metadata.deletion_timestamp is not None
    ]
    if leaving:
        raise Conflict(
            "\n".join(
                f"{label(r)} is being deleted; wait for it: slipway wait {label(r)} --for delete"
                for r in leaving
            )
        )
    return [_change(resource, stored.get(_key(resource))) for resource in ordered]


def _key(resource: Resource) -> tuple[Kind, str]:
    return Kind(resource.kind), resource.metadata.name


def _change(resource: Resource, current: Resource | None) -> Change:
    spec = resource.spec.sparse()
    if current is None:
        return Change(action=Action.CREATED, resource=resource, current=None, spec=spec)
    before = current.spec.sparse()
    kept = {f: before[f] for f in VERB_FIELDS[Kind(resource.kind)] if f in before and f not in spec}
    spec = {**spec, **kept}
    same = _meaning(resource, spec) == _meaning(current, before)
    same = same and resource.metadata.labels == current.metadata.labels
    action = Action.UNCHANGED if same else Action.CONFIGURED
    return Change(action=action, resource=resource, current=current, spec=spec)


def _meaning(resource: Resource, spec: Mapping[str, Any]) -> dict[str, Any]:
    """What a sparse spec says, defaults written out: an API server stores them, PostgreSQL not.

    What overrides a Model's settings stays sparse: there a default that is written means itself.
    """
    whole = type(resource.spec).model_validate(spec).wire()
    overrides = {} if isinstance(resource, Model) else {f: spec.get(f) for f in OVERRIDES}
    return whole | overrides


def _refusals(
    resource: Resource, current: Resource | None, models: Mapping[str, Model]
) -> list[str]:
    if not isinstance(resource, ModelVersion):
        return []
    lines = [*_effective(resource, models.get(resource.spec.model))]
    if isinstance(current, ModelVersion):
        lines += _immutable(resource, current)
    return lines


def _immutable(resource: ModelVersion, current: ModelVersion) -> list[str]:
    name = resource.metadata.name
    lines = []
    if resource.spec.model != current.spec.model:
        lines.append(
            f"{label(resource)}: spec.model: is immutable ({current.spec.model}); "
            f"keep it, or give this version another metadata.name than {name}"
        )
    if resource.spec.source.wire() != current.spec.source.wire():
        lines.append(
            f"{label(resource)}: spec.source: is immutable, since a version is one artifact; "
            f"give the new one another metadata.name than {name}"
        )
    return lines


def _effective(resource: ModelVersion, model: Model | None) -> list[str]:
    """Each part may be right by itself and wrong on top of the Model's defaults."""
    base = model.spec if model is not None else ModelSpec()
    spec = resource.spec
    lines: list[str] = []
    try:
        base.serving.overridden_by(spec.serving)
    except ValidationError as error:
        lines += _merged(resource, "serving", error, Serving)
    try:
        base.evaluation.overridden_by(spec.evaluation)
    except ValidationError as error:
        lines += _merged(resource, "evaluation", error, Evaluation)
    try:
        base.rollout.overridden_by(spec.rollout)
    except ValidationError as error:
        lines += _merged(resource, "rollout", error, Rollout)
    return lines


def _merged(
    resource: ModelVersion,
    field: str,
    error: ValidationError,
    part: type[Serving] | type[Evaluation] | type[Rollout],
) -> list[str]:
    owner = f"{label(resource)} over Model {resource.spec.model}"
    return [f"{owner}: {problem}" for problem in explain(error, part, under=("spec", field))]
