"""What a platform and a version's serving application tell each other through Ray Serve.

Down: the application's import path, its arguments (``BackendArgs``) and the scaling of its engine
deployment. Up: Serve hands back nothing but a traceback as text, so a failure that we caused on
purpose prints as one line ``slipway/<Reason>: <message>`` that both sides know.

Serve restarts every replica when an argument changes, and only scales when a deployment override
changes: so the number of replicas is never an argument.
"""

from __future__ import annotations

import re
from typing import Any

from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.base import Spec
from slipway_contracts.conditions import Reason
from slipway_contracts.model import Task
from slipway_contracts.serving import Serving

BUILDERS: dict[Task, str] = {Task.TEXT_GENERATION: "slipway_engine.llm:build"}

# The name that Serve gives to the deployment with the engine in it, the one that scales.
ENGINE_DEPLOYMENT = "slipway:engine"

_FAILURE = re.compile(r"slipway/([A-Za-z]+): ([^\r\n]+)")


class BackendArgs(Spec):
    """Arguments of a serving application. ``model`` is the public name, the served model id.

    ``artifact_cache``: the folder to which an artifact of an object store is fetched, the same one
    on every machine of the backend; None where artifacts are folders already.
    """

    artifact: ArtifactRef
    artifact_cache: str | None = None
    model: str
    version: str
    serving: Serving = Serving()


def scaling(serving: Serving, replicas: int) -> dict[str, Any]:
    """Serve's deployment options for at least ``replicas`` replicas of the engine."""
    floor = max(replicas, serving.replicas.min)
    if serving.replicas.max <= floor:
        return {"num_replicas": floor}
    return {
        "autoscaling_config": {
            "min_replicas": floor,
            "max_replicas": serving.replicas.max,
            "target_ongoing_requests": serving.replicas.target,
        }
    }


def failure_line(reason: Reason, message: str) -> str:
    """The line that ``parse_failure`` finds again in any text around it."""
    return f"slipway/{reason.value}: {' '.join(message.split())}"


def parse_failure(text: str) -> tuple[Reason, str] | None:
    """The last failure line of a traceback; None when there is none of a known reason."""
    for reason, message in reversed(_FAILURE.findall(text)):
        if reason in {known.value for known in Reason}:
            return Reason(reason), message.strip()
    return None
