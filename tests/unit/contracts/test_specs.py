"""Specs: unknown fields, overrides, sparse forms and the validators."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from slipway_contracts.base import Spec
from slipway_contracts.evaluation import Evaluation, Gate
from slipway_contracts.model import Model, ModelSpec
from slipway_contracts.model_version import ModelVersion, ModelVersionSpec, Source
from slipway_contracts.rollout import Analysis, Rollout
from slipway_contracts.serving import Replicas, Serving
from slipway_contracts.training import Base, Training

DATA = {"sources": ["bundled:jargon"]}
BASE = {"version": "v1"}


def test_a_minimal_version() -> None:
    spec = ModelVersionSpec.model_validate({"model": "m", "source": {"random": {}}})
    assert spec.desired_state == "Active"
    assert spec.sparse() == {"model": "m", "source": {"random": {}}}


@pytest.mark.parametrize(
    ("spec", "loc"),
    [
        ({"model": "m", "source": {"random": {}}, "rolout": {}}, ("rolout",)),
        (
            {"model": "m", "source": {"random": {}}, "rollout": {"analysis": {"alhpa": 0.1}}},
            ("rollout", "analysis", "alhpa"),
        ),
        (
            {"model": "m", "source": {"training": {"data": DATA | {"blocksize": 8}}}},
            ("source", "training", "data", "blocksize"),
        ),
    ],
)
def test_an_unknown_field_is_an_error_at_its_path(spec: dict[str, Any], loc: tuple[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelVersionSpec.model_validate(spec)
    assert [(e["type"], e["loc"]) for e in caught.value.errors()] == [("extra_forbidden", loc)]


def test_a_status_ignores_what_a_newer_writer_added() -> None:
    model = Model.model_validate({"metadata": {"name": "m"}, "status": {"newField": 1}})
    assert model.status.routes_revision == 0


def test_specs_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Rollout().max_duration = timedelta(0)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("model", "body", "message"),
    [
        (Source, {}, "exactly one"),
        (Source, {"random": {}, "artifact": {"uri": "file:///a"}}, "exactly one"),
        (Base, {}, "exactly one"),
        (Base, {"version": "v", "uri": "u"}, "exactly one"),
        (Training, {"data": DATA, "base": BASE}, "for method full or lora"),
        (Training, {"data": DATA, "method": "lora"}, "needs training.base"),
        (Gate, {"metric": "a.b"}, "no bound"),
        (Gate, {"metric": "a", "max": 1}, "pattern"),
        (Evaluation, {"suites": [], "gates": [{"metric": "a.b", "max": 1}]}, "names no suite"),
        (ModelSpec, {"evaluation": {"gates": [{"metric": "a.b", "max": 1}]}}, "suites is empty"),
        (ModelSpec, {"serving": {"replicas": {"min": 3}}}, "below replicas.min"),
        (
            Evaluation,
            {"suites": [{"name": "a", "kind": "heldout"}, {"name": "a", "kind": "endpoint"}]},
            "two suites",
        ),
        (Replicas, {"min": 3, "max": 2}, "raise max or lower min"),
        (Rollout, {"steps": [{"weight": 10}, {"weight": 10}]}, "rise strictly"),
        (Rollout, {"steps": [{"weight": 50}, {"weight": 10}]}, "rise strictly"),
        (Rollout, {"steps": [{"weight": 0}]}, "greater than or equal to 1"),
        (Rollout, {"steps": [{"weight": 100}]}, "less than or equal to 99"),
        (Analysis, {"metrics": [{"metric": "error"}, {"metric": "error"}]}, "twice"),
        (ModelSpec, {"traffic": [{"version": "a", "weight": 99}]}, "sum to 100"),
        (
            ModelSpec,
            {"traffic": [{"version": "a", "weight": 50}, {"version": "a", "weight": 50}]},
            "twice",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_its_fix(
    model: type[Spec], body: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        model.model_validate(body)


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (Source, {"adapter": {"base": "v1", "uri": "file:///a"}}),
        (Training, {"data": DATA, "method": "lora", "base": BASE}),
        (ModelSpec, {"traffic": [{"version": "a", "weight": 100}]}),
        (Rollout, {"steps": [{"weight": 1}, {"weight": 99}]}),
        (
            Evaluation,
            {"suites": [{"name": "a", "kind": "heldout"}], "gates": [{"metric": "a.b", "min": 0}]},
        ),
    ],
)
def test_right_values_are_taken(model: type[Spec], body: dict[str, Any]) -> None:
    model.model_validate(body)


def test_an_override_changes_what_it_sets_and_nothing_else() -> None:
    base = Serving.model_validate(
        {"engine": {"maxModelLen": 512, "dtype": "float32"}, "replicas": {"max": 4}}
    )
    over = Serving.model_validate({"engine": {"maxModelLen": 128}})
    merged = base.overridden_by(over)
    assert merged.engine.max_model_len == 128
    assert merged.engine.dtype == "float32"
    assert merged.replicas.max == 4


def test_an_override_by_a_default_value_counts_when_it_is_written() -> None:
    base = Rollout.model_validate({"autoPromote": False})
    assert not base.overridden_by(Rollout()).auto_promote
    assert base.overridden_by(Rollout.model_validate({"autoPromote": True})).auto_promote


def test_lists_replace() -> None:
    base = Rollout.model_validate({"steps": [{"weight": 5}, {"weight": 50}]})
    merged = base.overridden_by(Rollout.model_validate({"steps": [{"weight": 20}]}))
    assert [step.weight for step in merged.steps] == [20]


def test_a_merge_is_validated() -> None:
    base = Serving.model_validate({"replicas": {"min": 1, "max": 2}})
    with pytest.raises(ValidationError, match="raise max"):
        base.overridden_by(Serving.model_validate({"replicas": {"min": 3}}))


def test_half_of_a_pair_may_override() -> None:
    base = Serving.model_validate({"replicas": {"min": 1, "max": 4}})
    merged = base.overridden_by(Serving.model_validate({"replicas": {"min": 3}}))
    assert (merged.replicas.min, merged.replicas.max) == (3, 4)


def test_gates_may_be_tightened_without_repeating_the_suites() -> None:
    base = Evaluation.model_validate({"suites": [{"name": "held", "kind": "heldout"}]})
    tighter = Evaluation.model_validate({"gates": [{"metric": "held.loss", "max": 1}]})
    assert base.overridden_by(tighter).gates == tighter.gates
    stray = Evaluation.model_validate({"gates": [{"metric": "other.loss", "max": 1}]})
    with pytest.raises(ValidationError, match="names no suite"):
        base.overridden_by(stray)


def test_no_override_is_the_same_object() -> None:
    base = Rollout()
    assert base.overridden_by(None) is base


OVERRIDES = st.fixed_dictionaries(
    {},
    optional={
        "autoPromote": st.booleans(),
        "maxDuration": st.sampled_from(["1m", "2h"]),
        "analysis": st.fixed_dictionaries(
            {}, optional={"alpha": st.sampled_from([0.01, 0.05]), "errorBudget": st.integers(0, 9)}
        ),
        "steps": st.sampled_from([[], [{"weight": 10}], [{"weight": 5}, {"weight": 50}]]),
    },
)


@given(OVERRIDES, OVERRIDES)
def test_every_written_field_of_the_override_wins(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    base, over = Rollout.model_validate(first), Rollout.model_validate(second)
    merged = base.overridden_by(over)
    for name in Rollout.model_fields:
        if name == "analysis":
            continue
        winner = over if name in over.model_fields_set else base
        assert getattr(merged, name) == getattr(winner, name)
    for name in ("alpha", "error_budget"):
        winner = over if name in over.analysis.model_fields_set else base
        assert getattr(merged.analysis, name) == getattr(winner.analysis, name)


@given(OVERRIDES)
def test_sparse_forms_survive_the_wire(body: dict[str, Any]) -> None:
    rollout = Rollout.model_validate(body)
    again = Rollout.model_validate(rollout.sparse())
    assert again == rollout
    assert again.sparse() == rollout.sparse()
    assert again.model_fields_set == rollout.model_fields_set


def test_a_resource_survives_the_wire() -> None:
    version = ModelVersion.model_validate(
        {
            "metadata": {"name": "v1", "labels": {"a": "b"}},
            "spec": {"model": "m", "source": {"training": {"data": DATA, "bf16": "off"}}},
        }
    )
    assert ModelVersion.model_validate(version.wire()) == version
    assert ModelVersion.model_validate(version.sparse()) == version
