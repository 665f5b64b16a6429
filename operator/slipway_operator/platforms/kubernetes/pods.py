"""Why a pod does not run, or how it ended: judged from the pod alone. Pure.

Reasons from the closed set, in the words of whoever knows: the scheduler, the kubelet, the process.
A message ends with what its reader can do. ``lasting`` troubles will not pass by waiting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from slipway_contracts.conditions import Reason
from slipway_operator.platforms.kubernetes.kinds import Body, name_of
from slipway_operator.platforms.serving.applications import short

# A registry that is away for a moment, or an image that is just being pushed, is no verdict.
IMAGE_PATIENCE = timedelta(seconds=60)
_PULL = {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable"}
_CONFIG = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
OOM_KILLED = "OOMKilled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What keeps a pod from running."""

    reason: Reason
    message: str
    lasting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a container ended last. ``message``: its termination message, or its last lines."""

    exit_code: int
    reason: str = ""
    message: str = ""

    @property
    def out_of_memory(self) -> bool:
        """The kernel killed it for its memory."""
        return self.reason == OOM_KILLED


def trouble_of(pod: Body, now: datetime) -> Trouble | None:
    """Why the pod does not run; None when nothing is known to be wrong."""
    waiting = _unschedulable(pod)
    if waiting is not None:
        return waiting
    since = _scheduled_at(pod)
    patient = since is not None and now - since < IMAGE_PATIENCE
    for status in _containers(pod):
        found = _waiting(status, patient=patient)
        if found is not None:
            return found
    return None


def ended_of(pod: Body, container: str, *, before: bool = False) -> Ended | None:
    """How the container ended; ``before``: its last life, if it was started again."""
    for status in _containers(pod):
        if status.get("name") != container:
            continue
        state = (status.get("lastState") if before else status.get("state")) or {}
        terminated = state.get("terminated")
        if terminated is None:
            return None
        return Ended(
            exit_code=int(terminated.get("exitCode", 1)),
            reason=str(terminated.get("reason") or ""),
            message=str(terminated.get("message") or ""),
        )
    return None


def restarts_of(pod: Body) -> int:
    """How often its containers were started again."""
    return sum(int(status.get("restartCount", 0)) for status in _containers(pod))


def crash_looping(pod: Body) -> bool:
    """The kubelet waits before it starts a container that keeps ending."""
    return any(_reason(status) == "CrashLoopBackOff" for status in _containers(pod))


def is_ready(pod: Body) -> bool:
    """Ready and not leaving."""
    condition = _condition(pod, "Ready")
    leaving = pod["metadata"].get("deletionTimestamp") is not None
    return condition is not None and condition.get("status") == "True" and not leaving


def phase(pod: Body) -> str:
    """Pending, Running, Succeeded, Failed or Unknown."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def disrupted(pod: Body) -> str:
    """What took the pod away (an eviction, a drained node); empty when nothing did."""
    condition = _condition(pod, "DisruptionTarget")
    if condition is None or condition.get("status") != "True":
        return ""
    return str(condition.get("message") or condition.get("reason") or "disrupted")


def _unschedulable(pod: Body) -> Trouble | None:
    condition = _condition(pod, "PodScheduled") or {}
    if condition.get("status") != "False" or condition.get("reason") != "Unschedulable":
        return None
    said = short(str(condition.get("message") or "no node has room")).rstrip(".")
    return Trouble(
        reason=Reason.INSUFFICIENT_CAPACITY,
        message=f"{said}; add a node, free one, or lower resources and nodeSelector",
    )


def _waiting(status: dict[str, Any], *, patient: bool) -> Trouble | None:
    reason, said = _reason(status), short(str(_waits(status).get("message") or ""))
    image = status.get("image") or "the image"
    if reason == "InvalidImageName":
        fix = f"image {image} is no valid name ({said or reason}); correct the chart's images"
        return Trouble(reason=Reason.IMAGE_PULL, message=fix, lasting=True)
    if reason in _PULL:
        fix = (
            f"image {image} cannot be pulled ({reason}: {said}); push it, correct the chart's "
            "images, or give pull secrets"
        )
        return Trouble(reason=Reason.IMAGE_PULL, message=fix, lasting=not patient)
    if reason in _CONFIG:
        fix = f"the container cannot be made ({reason}: {said}); correct what it names"
        return Trouble(reason=Reason.STARTUP_FAILED, message=fix, lasting=not patient)
    return None


def _containers(pod: Body) -> Iterator[dict[str, Any]]:
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def _waits(status: dict[str, Any]) -> dict[str, Any]:
    return (status.get("state") or {}).get("waiting") or {}


def _reason(status: dict[str, Any]) -> str:
    return str(_waits(status).get("reason") or "")


def _scheduled_at(pod: Body) -> datetime | None:
    condition = _condition(pod, "PodScheduled")
    since = condition.get("lastTransitionTime") if condition is not None else None
    return datetime.fromisoformat(since) if since else None


def _condition(pod: Body, kind: str) -> dict[str, Any] | None:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((c for c in conditions if c.get("type") == kind), None)


def newest(pods: list[Body]) -> Body | None:
    """The one that was made last."""
    made = [(str(pod["metadata"].get("creationTimestamp") or ""), name_of(pod)) for pod in pods]
    return pods[made.index(max(made))] if pods else None
