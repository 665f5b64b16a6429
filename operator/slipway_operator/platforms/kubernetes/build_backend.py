"""A desired backend → its RayService, rendered once and then frozen. Pure.

On the CPU the engine runs in the head's pod; with GPUs the head holds none, and each pod of one
worker group holds one replica (or a part of one). ``upgradeStrategy: None`` and a name that is a
function of (version, uid, attempt): no upgrade of Slipway ever makes a second cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from slipway_contracts.serving import Serving
from slipway_operator.core.decision import DesiredBackend
from slipway_operator.platforms.kubernetes import object_store, pod_parts
from slipway_operator.platforms.kubernetes.kinds import CONFIG_MAPS, Body
from slipway_operator.platforms.kubernetes.quantities import cores, mebibytes, millicores
from slipway_operator.platforms.kubernetes.serve_config import SERVE_PORT, serve_config
from slipway_operator.platforms.kubernetes.settings import PlatformConfig

COMPONENT = "backend"
LABEL_BACKEND = "slipway.dev/backend"
HEAD = "ray-head"
WORKER = "ray-worker"
GROUP = "engines"
# Beyond the drain, Ray's own processes need some seconds to end.
GRACE_SECONDS = 30
# By these names KubeRay finds the ports of the Services that it makes.
_PORTS = [
    {"name": "gcs", "containerPort": 6379},
    {"name": "dashboard", "containerPort": 8265},
    {"name": "client", "containerPort": 10001},
    {"name": "serve", "containerPort": SERVE_PORT},
]
# Established connections of the serving port, as the kernel lists them (8000 is 1F40).
_OPEN = rf":{SERVE_PORT:04X} [0-9A-F]+:[0-9A-F]+ 01 "


def build_backend(backend: DesiredBackend, *, config: PlatformConfig, anchor: Body) -> Body:
    """The RayService. ``anchor``: the release's ConfigMap, with which it goes."""
    pod_labels = pod_parts.labels(
        config, model=backend.model, version=backend.version, component=COMPONENT
    )
    stored = object_store.is_stored(backend.artifact.uri)
    return {
        "metadata": {
            "name": backend.name,
            "labels": pod_labels,
            "ownerReferences": [pod_parts.owned_by(CONFIG_MAPS, anchor)],
        },
        "spec": {
            "upgradeStrategy": {"type": "None"},
            # Workers answer for themselves, so that a head that restarts cuts no stream.
            "excludeHeadPodFromServeSvc": backend.serving.resources.gpu > 0,
            "serveConfigV2": serve_config(
                backend, cache=object_store.CACHE_PATH if stored else None
            ),
            "rayClusterConfig": _cluster(
                _Wanted(
                    serving=backend.serving,
                    config=config,
                    labels=pod_labels | {LABEL_BACKEND: backend.name},
                    supply=object_store.supply(config, backend.artifact.uri),
                )
            ),
        },
    }


def workers_per_replica(serving: Serving) -> int:
    """Pods that one replica spans."""
    gpu = serving.resources.gpu
    return max(1, ceil(serving.engine.tensor_parallel_size / gpu)) if gpu else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What all pods of one backend have in common."""

    serving: Serving
    config: PlatformConfig
    labels: dict[str, str]
    supply: object_store.Supply


def _cluster(wanted: _Wanted) -> Body:
    serving, config = wanted.serving, wanted.config
    if serving.resources.gpu == 0:
        return {
            "rayVersion": config.engines.ray_version,
            "headGroupSpec": _head_with_engine(wanted),
        }
    grows = serving.replicas.max > serving.replicas.min
    return {
        "rayVersion": config.engines.ray_version,
        **(_autoscaling() if grows else {}),
        "headGroupSpec": _head_alone(wanted, token=grows),
        "workerGroupSpecs": [_workers(wanted)],
    }


def _autoscaling() -> Body:
    """Ray's autoscaler follows Serve's: it adds a worker for a replica that finds no place."""
    return {
        "enableInTreeAutoscaling": True,
        "autoscalerOptions": {
            "idleTimeoutSeconds": 300,
            "securityContext": pod_parts.container_security(),
            "resources": pod_parts.resources(cpu="200m", memory="512Mi"),
            "env": pod_parts.environment({"HOME": "/tmp", "RAY_AUTH_MODE": "disabled"}, ()),
            "volumeMounts": [pod_parts.TMP_MOUNT],
        },
    }


def _head_with_engine(wanted: _Wanted) -> Body:
    """Every replica that there may be runs in this pod, so it asks for all of them."""
    serving, config = wanted.serving, wanted.config
    most, needs, head = serving.replicas.max, serving.resources, config.engines.head
    cpu = cores(millicores(head.cpu) + config.cpu_request(most * needs.cpu))
    memory = mebibytes(head.memory) + most * mebibytes(needs.memory)
    room = pod_parts.resources(cpu=cpu, memory=f"{memory}Mi")
    # Logical: a replica and its engine ask for one each, and Serve for some.
    params = _start_params(config, cpus=2 * most + 2, head=True)
    container = _container(HEAD, wanted, room) | {
        "ports": _PORTS,
        "lifecycle": _lifecycle(serving),
    }
    return _group(wanted, params=params, container=container, placed=True)


def _head_alone(wanted: _Wanted, *, token: bool) -> Body:
    config = wanted.config
    head = config.engines.head
    room = pod_parts.resources(cpu=str(head.cpu), memory=str(head.memory))
    container = _container(HEAD, wanted, room) | {"ports": _PORTS}
    params = _start_params(config, cpus=0, head=True)
    group = _group(wanted, params=params, container=container, placed=False)
    if token:
        # KubeRay gives this pod an account of its own: the autoscaler in it asks for workers.
        group["template"]["spec"]["automountServiceAccountToken"] = True
    return group


def _workers(wanted: _Wanted) -> Body:
    serving = wanted.serving
    needs, pods = serving.resources, workers_per_replica(serving)
    room = pod_parts.resources(cpu=str(needs.cpu), memory=needs.memory, gpu=needs.gpu)
    container = _container(WORKER, wanted, room) | {
        "ports": [{"name": "serve", "containerPort": SERVE_PORT}],
        "lifecycle": _lifecycle(serving),
        # KubeRay's own would call wget, which the image does not have.
        "readinessProbe": {
            "httpGet": {"path": "/-/healthz", "port": SERVE_PORT},
            "periodSeconds": 3,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
    }
    # Logical, too: one for the replica, one for each of its GPUs.
    params = _start_params(wanted.config, cpus=max(needs.cpu, needs.gpu + 2), head=False)
    group = _group(wanted, params=params, container=container, placed=True)
    return {
        "groupName": GROUP,
        "replicas": serving.replicas.min * pods,
        "minReplicas": serving.replicas.min * pods,
        "maxReplicas": serving.replicas.max * pods,
        **group,
    }


def _start_params(config: PlatformConfig, *, cpus: int, head: bool) -> dict[str, str]:
    """Options of ``ray start``."""
    params = {
        "num-cpus": str(cpus),
        "object-store-memory": str(config.engines.object_store_bytes),
        "disable-usage-stats": "true",
    }
    # KubeRay reads the applications' state there; a NetworkPolicy keeps everybody else away.
    return params | ({"dashboard-host": "0.0.0.0"} if head else {})


def _group(wanted: _Wanted, *, params: dict[str, str], container: Body, placed: bool) -> Body:
    """One group's pod template. ``placed``: it holds the engine, so serving says on which node."""
    config, serving = wanted.config, wanted.serving
    where: dict[str, Any] = {}
    if placed:
        given = (entry.wire() for entry in serving.tolerations)
        where = {
            "nodeSelector": dict(serving.node_selector),
            "tolerations": pod_parts.tolerations(given, gpu=serving.resources.gpu),
        }
    spec = pod_parts.pod(
        config,
        service_account=config.engines.service_account,
        grace_seconds=serving.drain_seconds + GRACE_SECONDS,
        priorityClassName=config.engines.priority_class,
        **where,
    )
    volumes = [
        *wanted.supply.volumes,
        pod_parts.TMP,
        pod_parts.shm(str(config.engines.shm_size)),
    ]
    return {
        "rayStartParams": params,
        "template": {
            "metadata": {"labels": wanted.labels},
            "spec": {**spec, "containers": [container], "volumes": volumes},
        },
    }


def _container(name: str, wanted: _Wanted, room: Body) -> Body:
    config = wanted.config
    return {
        "name": name,
        "image": config.images.engine,
        "imagePullPolicy": config.images.pull_policy,
        "env": pod_parts.environment(
            _variables(wanted.serving), [*wanted.supply.variables, *config.engines.env]
        ),
        "resources": room,
        "securityContext": pod_parts.container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            *wanted.supply.mounts,
            pod_parts.TMP_MOUNT,
            pod_parts.SHM_MOUNT,
        ],
    }


def _variables(serving: Serving) -> dict[str, str]:
    variables = {
        "HOME": "/tmp",
        # Set in every process or in none. Who reaches Ray's ports is the NetworkPolicy's business.
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        # Idle workers for logical CPUs would be processes for nothing.
        "RAY_prestart_worker_first_driver": "0",
        # vLLM's engine core is a child of the replica: it must not outlive a killed replica.
        "RAY_kill_child_processes_on_worker_exit_with_raylet_subreaper": "1",
        # Ray's default of 15 makes an engine wait for anything else in its pod.
        "RAY_worker_niceness": "0",
        "HF_HUB_OFFLINE": "1",
    }
    # vLLM's sampler is compiled by Dynamo, which needs a compiler that the image does not have.
    return variables if serving.resources.gpu else variables | {"TORCHDYNAMO_DISABLE": "1"}


def _lifecycle(serving: Serving) -> Body:
    """A pod that is evicted lets its streams end: it has left the Service when this begins."""
    wait = (
        f"for ((i = 0; i < {serving.drain_seconds}; i++)); do "
        f"grep -qE '{_OPEN}' /proc/net/tcp /proc/net/tcp6 || exit 0; sleep 1; done"
    )
    return {"preStop": {"exec": {"command": ["/bin/bash", "-c", wait]}}}
