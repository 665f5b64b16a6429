"""The restricted Pod Security Standard, and what Slipway asks of a pod beyond it.

``violations`` names each field that is not right, and is empty for a pod that may run. Written from
https://kubernetes.io/docs/concepts/security/pod-security-standards/; a test compares it with the
API server's own admission.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Pod = dict[str, Any]
VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"}
    | {"projected", "secret"}
)
SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
    }
)
PROFILES = {"RuntimeDefault", "Localhost"}
SELINUX_TYPES = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}


def violations(spec: Pod) -> list[str]:
    """What the restricted standard refuses in a pod's ``spec``."""
    return [*_pod(spec), *(w for c in _containers(spec) for w in _container(c, spec))]


def house_violations(spec: Pod) -> list[str]:
    """What Slipway asks beyond: fields that no standard needs, but that every pod of ours has."""
    return [*_house_pod(spec), *(w for c in _containers(spec) for w in _house_container(c))]


def _containers(spec: Pod) -> list[Pod]:
    names = ("containers", "initContainers", "ephemeralContainers")
    return [container for name in names for container in spec.get(name) or []]


def _pod(spec: Pod) -> Iterator[str]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield f"{name} is true"
    for volume in spec.get("volumes") or []:
        if not set(volume) - {"name"} <= VOLUMES:
            yield f"volume {volume['name']} is of a forbidden type"
    context = spec.get("securityContext") or {}
    for sysctl in context.get("sysctls") or []:
        if sysctl["name"] not in SYSCTLS:
            yield f"sysctl {sysctl['name']} is unsafe"
    yield from _shared(context, "pod")


def _container(container: Pod, spec: Pod) -> Iterator[str]:
    name = container["name"]
    context, pod = container.get("securityContext") or {}, spec.get("securityContext") or {}
    yield from _shared(context, name)
    if context.get("privileged"):
        yield f"{name}: privileged is true"
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{name}: allowPrivilegeEscalation is not false"
    if context.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield f"{name}: runAsNonRoot is not true"
    seccomp = context.get("seccompProfile") or pod.get("seccompProfile") or {}
    if seccomp.get("type") not in PROFILES:
        yield f"{name}: no seccompProfile"
    capabilities = context.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or []):
        yield f"{name}: capabilities.drop lacks ALL"
    if set(capabilities.get("add") or []) - {"NET_BIND_SERVICE"}:
        yield f"{name}: capabilities.add"
    if context.get("procMount", "Default") != "Default":
        yield f"{name}: procMount"
    for port in container.get("ports") or []:
        if port.get("hostPort"):
            yield f"{name}: hostPort {port['hostPort']}"


def _shared(context: Pod, where: str) -> Iterator[str]:
    """What is said in the pod's and in a container's securityContext alike."""
    if context.get("runAsUser") == 0:
        yield f"{where}: runAsUser is 0"
    if context.get("runAsNonRoot") is False:
        yield f"{where}: runAsNonRoot is false"
    if (context.get("seccompProfile") or {}).get("type", "RuntimeDefault") not in PROFILES:
        yield f"{where}: seccompProfile is Unconfined"
    if (context.get("appArmorProfile") or {}).get("type", "RuntimeDefault") not in PROFILES:
        yield f"{where}: appArmorProfile is Unconfined"
    selinux = context.get("seLinuxOptions") or {}
    if selinux.get("type", "") not in SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield f"{where}: seLinuxOptions"
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield f"{where}: windowsOptions.hostProcess"


def _house_pod(spec: Pod) -> Iterator[str]:
    context = spec.get("securityContext") or {}
    if not context.get("runAsUser") or not context.get("runAsGroup"):
        yield "runAsUser or runAsGroup is not a number"
    if spec.get("enableServiceLinks") is not False:
        yield "enableServiceLinks is not false: a Service's name becomes a setting"
    if "automountServiceAccountToken" not in spec:
        yield "automountServiceAccountToken is not said"


def _house_container(container: Pod) -> Iterator[str]:
    name, resources = container["name"], container.get("resources") or {}
    if (container.get("securityContext") or {}).get("readOnlyRootFilesystem") is not True:
        yield f"{name}: readOnlyRootFilesystem is not true"
    if not {"cpu", "memory"} <= set(resources.get("requests") or {}):
        yield f"{name}: resources.requests lacks cpu or memory"
    if "memory" not in (resources.get("limits") or {}):
        yield f"{name}: resources.limits lacks memory"
    reference = container["image"].partition("/")[2]
    if container["image"].endswith(":latest") or not {":", "@"} & set(reference):
        yield f"{name}: image {container['image']} is not pinned"
