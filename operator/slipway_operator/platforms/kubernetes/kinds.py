"""The Kubernetes kinds that Slipway reads or writes, and what their bodies have in common.

Bodies are plain dicts in wire form: they are parsed into types by whoever needs more than the few
fields that this file names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slipway_contracts.base import GROUP, VERSION
from slipway_contracts.conditions import ConditionType

Body = dict[str, Any]
Bodies = list[Body]

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_PART_OF = "app.kubernetes.io/part-of"
LABEL_MODEL = "slipway.dev/model"
LABEL_VERSION = "slipway.dev/version"
LABEL_COMPONENT = "slipway.dev/component"
MANAGER = "slipway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind as its address needs it. All of ours are namespaced."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str, name: str = "") -> str:
        """The collection, or one object of it."""
        root = f"/apis/{self.group}" if self.group else "/api"
        tail = f"/{name}" if name else ""
        return f"{root}/{self.version}/namespaces/{namespace}/{self.plural}{tail}"


MODELS = Kind(group=GROUP, version=VERSION, plural="models", kind="Model")
MODEL_VERSIONS = Kind(group=GROUP, version=VERSION, plural="modelversions", kind="ModelVersion")
JOBS = Kind(group="batch", version="v1", plural="jobs", kind="Job")
PODS = Kind(group="", version="v1", plural="pods", kind="Pod")
CONFIG_MAPS = Kind(group="", version="v1", plural="configmaps", kind="ConfigMap")
SERVICES = Kind(group="", version="v1", plural="services", kind="Service")
EVENTS = Kind(group="events.k8s.io", version="v1", plural="events", kind="Event")
LEASES = Kind(group="coordination.k8s.io", version="v1", plural="leases", kind="Lease")
RAY_SERVICES = Kind(group="ray.io", version="v1", plural="rayservices", kind="RayService")
RAY_CLUSTERS = Kind(group="ray.io", version="v1", plural="rayclusters", kind="RayCluster")

# What the cache holds: the two kinds of ours, and the children that are found by label.
WATCHED = (MODELS, MODEL_VERSIONS, JOBS, CONFIG_MAPS, PODS, RAY_SERVICES)
# KubeRay may be installed after Slipway; without it nothing is served, but runs go on.
OPTIONAL = frozenset({RAY_SERVICES})


def labels_of(kind: Kind) -> dict[str, str]:
    """By which labels ours are told from others of a kind: those that name a Model."""
    return {} if kind in {MODELS, MODEL_VERSIONS} else {LABEL_MODEL: ""}


def name_of(body: Body) -> str:
    return str(body["metadata"]["name"])


def uid_of(body: Body) -> str:
    return str(body["metadata"].get("uid", ""))


def resource_version(body: Body) -> str:
    return str(body["metadata"].get("resourceVersion", ""))


def revision(version: str) -> int:
    """A resource version as a number: etcd's revision, which only rises. 0 where there is none.

    Kubernetes lets clients compare them so (apimachinery, "Resource versions" since 1.35).
    """
    return int(version) if version.isdigit() else 0


def model_of(kind: Kind, body: Body) -> str:
    """The Model that an object belongs to; empty when it is none of ours."""
    if kind is MODELS:
        return name_of(body)
    if kind is MODEL_VERSIONS:
        return str((body.get("spec") or {}).get("model") or "")
    labels = body["metadata"].get("labels") or {}
    if labels.get(LABEL_MANAGED_BY, MANAGER) != MANAGER:
        return ""
    return str(labels.get(LABEL_MODEL, ""))


def state_of(body: Body) -> str:
    """A version's phase, or the status of the Ready condition; empty where there is neither."""
    status = body.get("status") or {}
    phase = status.get("phase")
    if isinstance(phase, str):
        return phase
    for condition in status.get("conditions") or ():
        if condition.get("type") == ConditionType.READY.value:
            return str(condition.get("status"))
    return ""
