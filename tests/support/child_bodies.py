"""Jobs, pods and RayServices as an API server tells of them: small bodies for unit tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.backend import ENGINE_DEPLOYMENT
from slipway_contracts.serving import Serving
from slipway_contracts.training import Training
from slipway_operator.core.decision import DesiredBackend, DesiredRun, TrainRequest
from slipway_operator.platforms.kubernetes.build_backend import LABEL_BACKEND, build_backend
from slipway_operator.platforms.kubernetes.kinds import Body
from slipway_operator.platforms.kubernetes.settings import PlatformConfig

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CONFIG = PlatformConfig.model_validate(
    {"images": {"engine": "r.io/engine:1", "training": "r.io/training:1", "pullSecrets": ["reg"]}}
)
ARTIFACT = ArtifactRef(uri="file:///var/lib/slipway/artifacts/v1", digest="sha256:" + "0" * 64)
OWNER: Body = {"metadata": {"name": "v1", "uid": "uid-v1"}}
ANCHOR: Body = {"metadata": {"name": "slipway-platform", "uid": "uid-anchor"}}


def at(ago: float = 0) -> str:
    return (NOW - timedelta(seconds=ago)).isoformat().replace("+00:00", "Z")


def condition(kind: str, status: str = "True", *, ago: float = 0, **more: str) -> Body:
    return {"type": kind, "status": status, "lastTransitionTime": at(ago), **more}


def a_training_run(name: str = "v1-train", **training: Any) -> DesiredRun:
    told = {"data": {"sources": ["bundled:devil"]}} | training
    request = TrainRequest(training=Training.model_validate(told))
    return DesiredRun(name=name, version="v1", request=request, backoff_limit=2)


def a_backend(name: str = "v1-abc", *, floor: int = 1, **serving: Any) -> DesiredBackend:
    return DesiredBackend(
        name=name,
        version="v1",
        model="tiny",
        artifact=ARTIFACT,
        serving=Serving.model_validate(serving),
        replicas=floor,
    )


def a_pod(
    phase: str = "Running",
    *,
    name: str = "p",
    uid: str = "",
    conditions: tuple[Body, ...] = (),
    labels: dict[str, str] | None = None,
    statuses: tuple[Body, ...] = (),
    age: float = 100,
    index: int = 0,
) -> Body:
    return {
        "metadata": {
            "name": name,
            "uid": uid or f"uid-{name}",
            "creationTimestamp": at(age),
            "labels": labels or {},
            "annotations": {"batch.kubernetes.io/job-completion-index": str(index)},
        },
        "spec": {"containers": [{"name": "run"}]},
        "status": {
            "phase": phase,
            "conditions": list(conditions),
            "containerStatuses": list(statuses),
        },
    }


def a_status(
    name: str = "run", *, state: Body | None = None, last: Body | None = None, restarts: int = 0
) -> Body:
    return {
        "name": name,
        "image": "r.io/x:1",
        "restartCount": restarts,
        "state": state or {},
        "lastState": last or {},
    }


def ended(code: int, message: str = "", reason: str = "Error") -> Body:
    return {"terminated": {"exitCode": code, "message": message, "reason": reason}}


def waits(reason: str, message: str = "") -> Body:
    return {"waiting": {"reason": reason, "message": message}}


def a_job(*conditions: Body, failed: int = 0, **spec: Any) -> Body:
    return {
        "metadata": {"name": "v1-train", "uid": "uid-job", "labels": spec.pop("labels", {})},
        "spec": spec,
        "status": {"conditions": list(conditions), "failed": failed},
    }


def a_ray_service(
    backend: DesiredBackend | None = None,
    *,
    app: str = "",
    engine: str = "",
    message: str = "",
    ready: bool = True,
    annotations: dict[str, str] | None = None,
    config: PlatformConfig = CONFIG,
) -> Body:
    """As rendered, with what KubeRay says of its application."""
    body = build_backend(backend or a_backend(), config=config, anchor=ANCHOR)
    name = body["metadata"]["name"]
    deployments = {ENGINE_DEPLOYMENT: {"status": engine, "message": message}}
    apps = {name: {"status": app, "serveDeploymentStatuses": deployments}} if app else {}
    body["metadata"] |= {"uid": "uid-rs", "annotations": annotations or {}}
    body["status"] = {
        "activeServiceStatus": {"applicationStatuses": apps},
        "conditions": [condition("Ready", str(ready))],
    }
    return body


def a_ray_pod(kind: str = "head", *, ready: bool = True, name: str = "", **more: Any) -> Body:
    """A pod of the backend's cluster."""
    labels = {LABEL_BACKEND: "v1-abc", "ray.io/node-type": kind}
    statuses = more.pop("statuses", (a_status(f"ray-{kind}", restarts=more.pop("restarts", 0)),))
    conditions = more.pop("conditions", (condition("Ready", str(ready)),))
    return a_pod(
        more.pop("phase", "Running"),
        name=name or kind,
        labels=labels,
        conditions=conditions,
        statuses=statuses,
        **more,
    )
