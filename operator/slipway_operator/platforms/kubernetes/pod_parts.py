"""What every pod that Slipway makes has in common: labels, owner, restricted security. Pure.

Pod Security Standard *restricted* in one place, so that no builder can forget half of it. Knows no
Job and no RayService.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from slipway_operator.platforms.kubernetes.kinds import (
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    LABEL_MODEL,
    LABEL_PART_OF,
    LABEL_VERSION,
    MANAGER,
    Body,
    Kind,
    name_of,
    uid_of,
)
from slipway_operator.platforms.kubernetes.settings import EnvVar, PlatformConfig

USER = 65532
GPU = "nvidia.com/gpu"
TMP: Body = {"name": "tmp", "emptyDir": {}}
TMP_MOUNT: Body = {"name": "tmp", "mountPath": "/tmp"}
SHM_MOUNT: Body = {"name": "shm", "mountPath": "/dev/shm"}
# GPU nodes are commonly tainted so that nothing else lands there; who asks for GPUs may.
GPU_TOLERATION: Body = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}


def labels(config: PlatformConfig, *, model: str, version: str, component: str) -> dict[str, str]:
    """By these the operator finds its children again, and nothing else of them is trusted."""
    return {
        LABEL_MANAGED_BY: MANAGER,
        LABEL_PART_OF: config.release,
        LABEL_MODEL: model,
        LABEL_VERSION: version,
        LABEL_COMPONENT: component,
    }


def owned_by(kind: Kind, body: Body) -> Body:
    """An owner reference: the child goes with it."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "name": name_of(body),
        "uid": uid_of(body),
        "controller": True,
        "blockOwnerDeletion": False,
    }


def pod(config: PlatformConfig, *, service_account: str, grace_seconds: int, **more: Any) -> Body:
    """The part of a pod's spec around its containers and volumes; empty values are left out."""
    secrets = [{"name": name} for name in config.images.pull_secrets]
    return {
        "serviceAccountName": service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            # Changing the owner of every checkpoint at each start would take minutes.
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **({"imagePullSecrets": secrets} if secrets else {}),
        **{name: value for name, value in more.items() if value},
    }


def container_security() -> Body:
    """Its part of *restricted*, and a root file system that nobody writes."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def resources(*, cpu: str, memory: str, gpu: int = 0) -> Body:
    """Requests, and limits where more would hurt others: memory and GPUs. CPU is shared."""
    limits = {"memory": memory, **({GPU: str(gpu)} if gpu else {})}
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": limits}


def environment(defaults: Mapping[str, str], given: Iterable[EnvVar]) -> list[Body]:
    """Variables with what the release gives in place of the defaults of the same name."""
    chosen: dict[str, Body] = {
        name: {"name": name, "value": value} for name, value in defaults.items()
    }
    return list((chosen | {str(entry["name"]): dict(entry) for entry in given}).values())


def shm(size: str) -> Body:
    """Shared memory as large as said; the default of 64 MiB is too small for Ray and NCCL."""
    return {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": size}}


def claim(config: PlatformConfig, *, read_only: bool) -> Body:
    """The volume of artifacts and runs."""
    source = {"claimName": config.artifacts.claim, "readOnly": read_only}
    return {"name": "artifacts", "persistentVolumeClaim": source}


def claim_mount(config: PlatformConfig, *, read_only: bool) -> Body:
    """Where it lies in every container that has it."""
    return {
        "name": "artifacts",
        "mountPath": config.artifacts.mount_path,
        "readOnly": read_only,
    }


def tolerations(given: Iterable[Mapping[str, Any]], *, gpu: int) -> list[Body]:
    """Those given, and that of GPU nodes for pods that ask for GPUs."""
    return [*(dict(entry) for entry in given), *([GPU_TOLERATION] if gpu else [])]
