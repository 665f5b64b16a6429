"""Every CEL rule both ways: what it lets pass and what it refuses, with the field and the fix.

The rules are found in the installed YAML; one without a row here fails ``test_every_rule``.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import pytest
from admission import Admission
from crd_schema import Rule, rules
from manifests import TRAINING, a_model, a_version

Body = dict[str, Any]
UPDATE_RULES = {"ModelVersion.spec.model", "ModelVersion.spec.source"}  # test_crd_immutable.py
SUITE = {"name": "heldout", "kind": "heldout"}
GATE = {"metric": "heldout.loss", "max": 1}
STEPS = [{"weight": 10}, {"weight": 50}]


def trained(**changes: Any) -> Body:
    return a_version(source={"training": TRAINING | changes})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Objects on either side of one rule; ``field`` is where the refusal points to."""

    field: str
    accepted: list[Body] = field(default_factory=list)
    refused: list[Body] = field(default_factory=list)


def of_both(path: str, spec: str, good: list[Any], bad: list[Any]) -> dict[str, Row]:
    """The same rule in a Model and in a ModelVersion's override."""
    makers = {"Model": a_model, "ModelVersion": a_version}
    return {
        f"{kind}.{path}": Row(
            field=path.replace("[]", "[0]").replace(".[0]", "[0]"),
            accepted=[make(**{spec: value}) for value in good],
            refused=[make(**{spec: value}) for value in bad],
        )
        for kind, make in makers.items()
    }


ROWS: dict[str, Row] = {
    "Model.spec.traffic": Row(
        field="spec.traffic",
        accepted=[
            a_model(traffic=[]),
            a_model(traffic=[{"version": "a", "weight": 100}]),
            a_model(traffic=[{"version": "a", "weight": 30}, {"version": "b", "weight": 70}]),
        ],
        refused=[
            a_model(traffic=[{"version": "a", "weight": 99}]),
            a_model(traffic=[{"version": "a", "weight": 30}, {"version": "b", "weight": 71}]),
        ],
    ),
    "ModelVersion.spec.source": Row(
        field="spec.source",
        accepted=[
            a_version(),
            a_version(source={"random": {}}),
            a_version(source={"artifact": {"uri": "s3://bucket/a"}}),
            a_version(source={"adapter": {"base": "v0", "uri": "s3://bucket/a"}}),
        ],
        refused=[
            a_version(source={}),
            a_version(source={"random": {}, "training": TRAINING}),
            a_version(source={"random": {}, "artifact": {"uri": "s3://bucket/a"}}),
        ],
    ),
    "ModelVersion.spec.source.training.base": Row(
        field="spec.source.training.base",
        accepted=[
            trained(),
            trained(method="scratch"),
            trained(method="full", base={"version": "v0"}),
            trained(method="lora", base={"uri": "hf://a/b"}),
        ],
        refused=[
            trained(base={"version": "v0"}),
            trained(method="full"),
            trained(method="lora"),
            trained(method="scratch", base={"version": "v0"}),
        ],
    ),
    "ModelVersion.spec.source.training.base.one": Row(
        field="spec.source.training.base",
        accepted=[trained(method="full", base={"uri": "hf://a/b"})],
        refused=[
            trained(method="full", base={}),
            trained(method="full", base={"version": "v0", "uri": "hf://a/b"}),
        ],
    ),
    **of_both(
        "spec.serving.replicas.max",
        "serving",
        [{"replicas": r} for r in ({"min": 2, "max": 2}, {"min": 1, "max": 4}, {"max": 3})],
        [{"replicas": {"min": 3, "max": 2}}],
    ),
    **of_both(
        "spec.evaluation.gates",
        "evaluation",
        [{"suites": [SUITE], "gates": [GATE]}, {"suites": [SUITE]}],
        [
            {"suites": [SUITE], "gates": [{"metric": "other.loss", "max": 1}]},
            {"suites": [], "gates": [GATE]},
            {"suites": [SUITE | {"name": "held"}], "gates": [GATE]},
        ],
    ),
    **of_both(
        "spec.evaluation.gates.[]",
        "evaluation",
        [
            {"suites": [SUITE], "gates": [{"metric": "heldout.loss", bound: 0.5}]}
            for bound in ("max", "min", "maxRelativeIncrease", "maxRelativeDecrease")
        ],
        [{"suites": [SUITE], "gates": [{"metric": "heldout.loss"}]}],
    ),
    **of_both(
        "spec.rollout.steps",
        "rollout",
        [{"steps": []}, {"steps": STEPS}, {"steps": STEPS[:1]}],
        [{"steps": STEPS[::-1]}, {"steps": [*STEPS, {"weight": 50}]}],
    ),
}
# A version's gates alone are an override: its Model's suites are not in sight of admission.
GATES_ALONE = a_version(evaluation={"gates": [GATE]})


def row_of(rule: Rule) -> Row:
    one = rule.id == "ModelVersion.spec.source.training.base" and "exactly one" in rule.message
    return ROWS[rule.id + ".one" if one else rule.id]


CREATE_RULES = [r for r in rules() if r.path[0] == "spec" and "oldSelf" not in r.rule]


def test_every_rule_has_a_row_and_says_what_to_do() -> None:
    assert {id(row_of(rule)) for rule in CREATE_RULES} == {id(row) for row in ROWS.values()}
    assert {r.id for r in rules() if "oldSelf" in r.rule} == UPDATE_RULES
    assert all(len(rule.message) > 20 for rule in rules())


@pytest.mark.parametrize("rule", CREATE_RULES, ids=[f"{r.id}: {r.message}" for r in CREATE_RULES])
def test_a_rule_holds_both_ways(admission: Admission, rule: Rule) -> None:
    row = row_of(rule)
    assert row.accepted and row.refused
    for body in row.accepted:
        answer = admission.create(body)
        assert answer.accepted, answer.message
    for body in row.refused:
        answer = admission.create(body)
        assert answer.status == 422, f"accepted: {body['spec']}"
        assert rule.message in answer.message
        assert row.field in answer.fields, answer.message


def test_gates_alone_override_a_models(admission: Admission) -> None:
    assert admission.create(GATES_ALONE).accepted


def test_a_status_is_held_to_its_rule(stored: Admission) -> None:
    """Only the operator writes it, and what it writes is checked all the same."""
    [rule] = [found for found in rules() if found.path[0] == "status"]
    assert rule.id == "ModelVersion.status.serving.replicas.max"
    assert stored.create(a_version(), dry=False).accepted
    good = {"status": {"serving": {"replicas": {"min": 1, "max": 2}}}}
    assert stored.patch("ModelVersion", "v1", good, part="/status").accepted
    bad = copy.deepcopy(good)
    bad["status"]["serving"]["replicas"]["min"] = 3
    answer = stored.patch("ModelVersion", "v1", bad, part="/status")
    assert answer.status == 422
    assert rule.message in answer.message
