"""The specs that hold for one version: the Model's defaults under the version's own overrides.

Merging may produce what neither spec alone would be allowed to be (replicas.min above the Model's
max); that is a refusal with the validator's words, never a crash.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from pydantic import ValidationError

from slipway_contracts.evaluation import Evaluation
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion
from slipway_contracts.rollout import Rollout
from slipway_contracts.serving import Serving


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """What holds for a version; ``problem`` says why an override could not be merged."""

    serving: Serving
    evaluation: Evaluation
    rollout: Rollout
    problem: str = ""


def effective(model: Model, version: ModelVersion) -> Effective:
    """Merge; where that is not valid, the Model's own values with a ``problem``."""
    spec = model.spec
    try:
        return Effective(
            serving=spec.serving.overridden_by(version.spec.serving),
            evaluation=spec.evaluation.overridden_by(version.spec.evaluation),
            rollout=spec.rollout.overridden_by(version.spec.rollout),
        )
    except ValidationError as error:
        return Effective(
            serving=spec.serving,
            evaluation=spec.evaluation,
            rollout=spec.rollout,
            problem="; ".join(problem["msg"] for problem in error.errors()),
        )


# Editing these steers a rollout that runs; editing anything else restarts its current step.
_STEERING = frozenset({"shadow", "max_duration", "auto_promote", "post_promotion_watch"})
_STEERING_ANALYSIS = frozenset({"error_budget", "on_undecided"})


def rollout_digest(rollout: Rollout) -> str:
    """A digest of what the current step's evidence depends on."""
    body = rollout.model_dump(mode="json", exclude=set(_STEERING))
    for name in _STEERING_ANALYSIS:
        del body["analysis"][name]
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]


def evaluation_digest(evaluation: Evaluation) -> str:
    """A digest of what is measured (the suites); gates are judged when the report is there."""
    body = [suite.wire() for suite in evaluation.suites]
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
