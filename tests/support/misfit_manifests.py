"""Manifests that are right by themselves and do not fit what stands: only the operator can tell.

Each is told by a condition that names the field and the fix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from manifests import TRAINING, a_model, a_version

Body = dict[str, Any]
SUITE = {"name": "heldout", "kind": "heldout"}
GATE = {"metric": "heldout.loss", "max": 5}
FULL = TRAINING | {"method": "full"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """``applied`` in order; then the last one gets ``condition`` with ``reason``."""

    id: str
    applied: tuple[Body, ...]
    condition: str
    status: str
    reason: str
    says: tuple[str, ...]


def refused(id_: str, reason: str, *says: str, applied: tuple[Body, ...]) -> Misfit:
    """A version that is not accepted."""
    return Misfit(
        id=id_, applied=applied, condition="Accepted", status="False", reason=reason, says=says
    )


def waiting(id_: str, *says: str, applied: tuple[Body, ...]) -> Misfit:
    """A version whose base cannot be had."""
    return Misfit(
        id=id_,
        applied=applied,
        condition="TrainingComplete",
        status="False",
        reason="BaseNotReady",
        says=says,
    )


def stalled(id_: str, reason: str, *says: str, applied: tuple[Body, ...]) -> Misfit:
    """A Model that asks for what is not there."""
    return Misfit(
        id=id_, applied=applied, condition="Stalled", status="True", reason=reason, says=says
    )


def a_full_training(base: str, **spec: Any) -> Body:
    return a_version(source={"training": FULL | {"base": {"version": base}}}, **spec)


MISFITS = (
    refused(
        "unknown-model",
        "ModelNotFound",
        "Model nope does not exist; apply it, or correct spec.model",
        applied=(a_version(model="nope"),),
    ),
    refused(
        "its-own-base",
        "Invalid",
        "v1 names itself as its base; name another version",
        applied=(a_model(), a_full_training("v1")),
    ),
    refused(
        "adapts-itself",
        "Invalid",
        "v1 names itself as its base",
        applied=(a_model(), a_version(source={"adapter": {"base": "v1", "uri": "s3://b/a"}})),
    ),
    refused(
        "adapter-on-stable",
        "ModeNotSupported",
        "serving.mode AdapterOnStable is not supported; use BlueGreen or Recreate",
        applied=(a_model(), a_version(serving={"mode": "AdapterOnStable"})),
    ),
    refused(
        "adapter-on-stable-by-its-model",
        "ModeNotSupported",
        "use BlueGreen or Recreate",
        applied=(a_model(serving={"mode": "AdapterOnStable"}), a_version()),
    ),
    refused(
        "min-above-its-models-max",
        "Invalid",
        "replicas.max is below replicas.min; raise max or lower min",
        applied=(
            a_model(serving={"replicas": {"min": 1, "max": 2}}),
            a_version(serving={"replicas": {"min": 3}}),
        ),
    ),
    refused(
        "gate-of-no-suite-of-its-model",
        "Invalid",
        "gate other.loss names no suite; suites are ['heldout']",
        applied=(
            a_model(evaluation={"suites": [SUITE], "gates": [GATE]}),
            a_version(evaluation={"gates": [{"metric": "other.loss", "max": 1}]}),
        ),
    ),
    refused(
        "suites-without-its-models-gates",
        "Invalid",
        "gate heldout.loss names no suite",
        applied=(
            a_model(evaluation={"suites": [SUITE], "gates": [GATE]}),
            a_version(evaluation={"suites": [SUITE | {"name": "mine"}]}),
        ),
    ),
    waiting(
        "base-that-is-not-there",
        "base version v0 does not exist; apply it, or name another base",
        applied=(a_model(), a_full_training("v0")),
    ),
    waiting(
        "adapter-of-nothing",
        "base version v0 does not exist; apply it, or name another base",
        applied=(a_model(), a_version(source={"adapter": {"base": "v0", "uri": "s3://b/a"}})),
    ),
    stalled(
        "pinned-to-nothing",
        "Pinned",
        "spec.pinnedVersion: v9 does not exist; apply it, or clear the pin",
        applied=(a_model(pinnedVersion="v9"),),
    ),
    stalled(
        "split-with-nothing",
        "FixedTraffic",
        "spec.traffic: v9 does not exist; apply it, or name another",
        applied=(a_model(traffic=[{"version": "v9", "weight": 100}]),),
    ),
)
