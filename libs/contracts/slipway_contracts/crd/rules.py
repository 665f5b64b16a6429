"""What a schema alone cannot say, as CEL: the same refusals as the types' validators.

Rules on immutability sit on the parent, so that adding or removing an optional field is caught too.
No rule relies on a default: under a ModelVersion's overrides there are none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from slipway_contracts.evaluation import Evaluation, Gate
from slipway_contracts.model import ModelSpec, ModelStatus
from slipway_contracts.model_version import ModelVersionSpec, ModelVersionStatus, Source
from slipway_contracts.rollout import Analysis, Rollout
from slipway_contracts.serving import Replicas
from slipway_contracts.training import Base, Training


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One ``x-kubernetes-validations`` entry; ``field`` is where the error points to."""

    rule: str
    message: str
    field: str = ""

    def schema(self) -> dict[str, str]:
        """The wire form."""
        pointed = {"fieldPath": f".{self.field}"} if self.field else {}
        return {"rule": self.rule, "message": self.message, **pointed}


RULES: dict[type[BaseModel], tuple[Rule, ...]] = {
    ModelVersionSpec: (
        Rule(
            rule="self.model == oldSelf.model",
            message="spec.model is immutable; make a ModelVersion with another name",
            field="model",
        ),
        Rule(
            rule="self.source == oldSelf.source",
            message="spec.source is immutable, since a version is one artifact; "
            "make a ModelVersion with another name",
            field="source",
        ),
    ),
    Source: (
        Rule(
            rule="[has(self.training), has(self.artifact), has(self.adapter), has(self.random)]"
            ".exists_one(given, given)",
            message="spec.source needs exactly one of training, artifact, adapter, random",
        ),
    ),
    Training: (
        Rule(
            rule="has(self.base) == (has(self.method) && self.method != 'scratch')",
            message="training.base is for method full or lora, and those need it; "
            "scratch starts from nothing",
            field="base",
        ),
    ),
    Base: (
        Rule(
            rule="has(self.version) != has(self.uri)",
            message="training.base needs exactly one of version and uri",
        ),
    ),
    Gate: (
        Rule(
            rule="has(self.max) || has(self.min) || has(self.maxRelativeIncrease) "
            "|| has(self.maxRelativeDecrease)",
            message="the gate has no bound; set max, min or a relative bound",
        ),
    ),
    Evaluation: (
        Rule(
            rule="!has(self.gates) || !has(self.suites) || self.gates.all(gate, "
            "self.suites.exists(suite, gate.metric.startsWith(suite.name + '.')))",
            message="a gate names no suite; its metric is SUITE.METRIC",
            field="gates",
        ),
    ),
    Rollout: (
        Rule(
            rule="!has(self.steps) || (self.steps.map(step, step.weight).isSorted() && "
            "self.steps.all(step, self.steps.exists_one(other, other.weight == step.weight)))",
            message="rollout.steps weights must rise strictly, e.g. 10, 25, 50",
            field="steps",
        ),
    ),
    Replicas: (
        Rule(
            rule="!has(self.min) || !has(self.max) || self.max >= self.min",
            message="replicas.max is below replicas.min; raise max or lower min",
            field="max",
        ),
    ),
    ModelSpec: (
        Rule(
            rule="!has(self.traffic) || size(self.traffic) == 0 || "
            "self.traffic.map(share, share.weight).sum() == 100",
            message="spec.traffic weights must sum to 100",
            field="traffic",
        ),
    ),
}


def _keyed(*keys: str) -> dict[str, Any]:
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


# Lists whose entries have a name: unique by it, and mergeable by server-side apply.
LIST_KEYS: dict[tuple[type[BaseModel], str], dict[str, Any]] = {
    (ModelStatus, "conditions"): _keyed("type"),
    (ModelVersionStatus, "conditions"): _keyed("type"),
    (ModelStatus, "routes"): _keyed("version"),
    (ModelSpec, "traffic"): _keyed("version"),
    (Evaluation, "suites"): _keyed("name"),
    (Analysis, "metrics"): _keyed("metric"),
}
