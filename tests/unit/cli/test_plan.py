"""What apply decides before it writes."""

from __future__ import annotations

from typing import Any

import pytest

from slipway_cli.errors import Conflict, InvalidInput
from slipway_cli.plan import Action, plan_apply
from slipway_cli.resources import Kind, Resource
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion

TRAINING = {"training": {"data": {"sources": ["bundled:jargon"]}}}


def a_model(name: str = "m", **spec: Any) -> Model:
    return Model.model_validate({"metadata": {"name": name}, "spec": spec})


def a_version(name: str = "v1", *, meta: dict[str, Any] | None = None, **spec: Any) -> ModelVersion:
    body = {"model": "m", "source": {"random": {}}} | spec
    return ModelVersion.model_validate({"metadata": {"name": name} | (meta or {}), "spec": body})


def stored(*resources: Resource) -> dict[tuple[Kind, str], Resource]:
    return {(Kind(r.kind), r.metadata.name): r for r in resources}


def test_models_come_first() -> None:
    changes = plan_apply([a_version(), a_model()], {})
    assert [(c.resource.kind, c.action) for c in changes] == [
        ("Model", Action.CREATED),
        ("ModelVersion", Action.CREATED),
    ]


def test_specs_are_stored_sparse() -> None:
    (change,) = plan_apply([a_version(rollout={"autoPromote": True})], {})
    assert change.spec == {
        "model": "m",
        "source": {"random": {}},
        "rollout": {"autoPromote": True},
    }


def test_applying_twice_changes_nothing() -> None:
    (change,) = plan_apply([a_version()], stored(a_version()))
    assert change.action is Action.UNCHANGED


def test_a_changed_field_configures() -> None:
    new = a_version(rollout={"maxDuration": "1h"})
    (change,) = plan_apply([new], stored(a_version()))
    assert change.action is Action.CONFIGURED


def test_a_removed_field_goes() -> None:
    (change,) = plan_apply([a_version()], stored(a_version(rollout={"maxDuration": "1h"})))
    assert "rollout" not in change.spec


def test_labels_alone_configure() -> None:
    (change,) = plan_apply([a_version(meta={"labels": {"a": "b"}})], stored(a_version()))
    assert change.action is Action.CONFIGURED


@pytest.mark.parametrize(
    ("current", "kept"),
    [
        (a_version(desiredState="Paused"), {"desiredState": "Paused"}),
        (a_version(approval={"granted": True}), {"approval": {"granted": True}}),
        (a_version(retry={"id": "x"}), {"retry": {"id": "x"}}),
    ],
)
def test_what_a_verb_set_stays_where_the_manifest_is_silent(
    current: ModelVersion, kept: dict[str, Any]
) -> None:
    (change,) = plan_apply([a_version()], stored(current))
    assert change.action is Action.UNCHANGED
    assert kept.items() <= change.spec.items()


def test_what_a_verb_set_goes_where_the_manifest_says_so() -> None:
    (change,) = plan_apply(
        [a_version(desiredState="Active")], stored(a_version(desiredState="Paused"))
    )
    assert change.spec["desiredState"] == "Active"


def test_a_pin_stays() -> None:
    (change,) = plan_apply([a_model(default=True)], stored(a_model(pinnedVersion="v1")))
    assert change.spec == {"default": True, "pinnedVersion": "v1"}


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (a_version(model="other"), "mv/v1: spec.model: is immutable (m); keep it, or give"),
        (a_version(source=TRAINING), "mv/v1: spec.source: is immutable"),
        (a_version(source={"random": {"seed": 1}}), "mv/v1: spec.source: is immutable"),
    ],
)
def test_what_defines_the_artifact_is_immutable(new: ModelVersion, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        plan_apply([a_model(), new], stored(a_version()))
    assert message in str(caught.value)
    assert "metadata.name" in str(caught.value)
    assert str(caught.value).endswith("nothing was applied")


def test_writing_a_default_out_is_no_change_of_the_source() -> None:
    (change,) = plan_apply([a_version(source={"random": {"seed": 0}})], stored(a_version()))
    assert change.action is Action.UNCHANGED


@pytest.mark.parametrize(
    ("model", "version", "message"),
    [
        (
            a_model(serving={"replicas": {"max": 2}}),
            a_version(serving={"replicas": {"min": 3}}),
            "mv/v1 over Model m: spec.serving.replicas: replicas.max is below replicas.min",
        ),
        (
            a_model(evaluation={"suites": [{"name": "a", "kind": "heldout"}]}),
            a_version(evaluation={"gates": [{"metric": "b.loss", "max": 1}]}),
            "mv/v1 over Model m: spec.evaluation: gate b.loss names no suite",
        ),
    ],
)
def test_right_alone_but_wrong_over_its_model(
    model: Model, version: ModelVersion, message: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        plan_apply([version], stored(model))
    assert message in str(caught.value)


def test_the_model_of_the_same_batch_counts() -> None:
    version = a_version(serving={"replicas": {"min": 3}})
    new = a_model(serving={"replicas": {"max": 4}})
    assert len(plan_apply([version, new], stored(a_model()))) == 2


def test_an_object_that_is_being_deleted_is_left_alone() -> None:
    leaving = a_version(meta={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    with pytest.raises(Conflict, match="slipway wait mv/v1 --for delete"):
        plan_apply([a_version()], stored(leaving))
