"""Objects that every cluster of ours has: rights of its processes, DNS, storage. Pure.

Each is an API path and a body for server-side apply, so that applying twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import layout

RBAC = "/apis/rbac.authorization.k8s.io/v1"
STORAGE_CLASS = "standard"
# hostPath enforces no size: what matters is that claims up to these sizes bind.
VOLUMES = {"20Gi": 16, "100Gi": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """An object and where it is applied."""

    path: str
    body: dict[str, Any]


def rights() -> Iterator[Applied]:
    """What kube-proxy and CoreDNS may read."""
    yield _cluster_role_binding(
        "slipway:kube-proxy", role="system:node-proxier", user="system:kube-proxy"
    )
    read = {"verbs": ["get", "list", "watch"]}
    rules = [
        {"apiGroups": [""], "resources": ["services", "pods", "namespaces", "endpoints"], **read},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], **read},
    ]
    yield _applied(f"{RBAC}/clusterroles", "ClusterRole", "slipway:coredns", {"rules": rules})
    yield _cluster_role_binding("slipway:coredns", role="slipway:coredns", user="system:coredns")


def dns() -> Iterator[Applied]:
    """The Service of CoreDNS, which is a process of the node: no selector, a slice by hand."""
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}]
    ports.append({"name": "dns-tcp", "port": 53, "protocol": "TCP"})
    spec = {"clusterIP": layout.DNS_ADDRESS, "ports": ports}
    core = "/api/v1/namespaces/kube-system/services"
    yield _applied(core, "Service", "kube-dns", {"spec": spec}, version="v1")
    slices = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"
    body = {
        "addressType": "IPv4",
        "ports": ports,
        "endpoints": [{"addresses": [layout.NODE_ADDRESS]}],
    }
    made = _applied(slices, "EndpointSlice", "kube-dns-1", body)
    made.body["metadata"]["labels"] = {"kubernetes.io/service-name": "kube-dns"}
    yield made


def storage(volumes: Path) -> Iterator[Applied]:
    """The default StorageClass and the pool of volumes behind it."""
    made = _applied(
        "/apis/storage.k8s.io/v1/storageclasses",
        "StorageClass",
        STORAGE_CLASS,
        {"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "Immediate"},
    )
    made.body["metadata"]["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    yield made
    for name, size in volume_sizes().items():
        spec = {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS,
            "hostPath": {"path": str(volumes / name)},
        }
        path = "/api/v1/persistentvolumes"
        yield _applied(path, "PersistentVolume", name, {"spec": spec}, version="v1")


def volume_sizes() -> dict[str, str]:
    """Name → capacity of every volume of the pool."""
    return {
        f"slipway-{size.lower()}-{number:02}": size
        for size, count in VOLUMES.items()
        for number in range(1, count + 1)
    }


def _cluster_role_binding(name: str, *, role: str, user: str) -> Applied:
    group = "rbac.authorization.k8s.io"
    body = {
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }
    return _applied(f"{RBAC}/clusterrolebindings", "ClusterRoleBinding", name, body)


def _applied(
    collection: str, kind: str, name: str, body: dict[str, Any], *, version: str | None = None
) -> Applied:
    parts = collection.split("/")
    head = {
        "apiVersion": version or f"{parts[2]}/{parts[3]}",
        "kind": kind,
        "metadata": {"name": name},
    }
    return Applied(path=f"{collection}/{name}", body={**head, **body})
