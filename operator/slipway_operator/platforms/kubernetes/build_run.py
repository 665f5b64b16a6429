"""A desired run → its record (ConfigMap), its Job, and a Service where it has several nodes. Pure.

The record holds the frozen spec and outlives the Job. The Job does what no run can do for itself:
it starts again what failed, up to the limit; an eviction or a checkpoint (75) is no failure, a
wrong config (78) is the end at once.
"""

from __future__ import annotations

from pathlib import Path

import orjson

from slipway_contracts.serving import Resources
from slipway_contracts.training import EXIT_CHECKPOINTED, EXIT_INVALID, Training
from slipway_operator.core.decision import DesiredRun, TrainRequest
from slipway_operator.platforms.kubernetes import object_store, pod_parts
from slipway_operator.platforms.kubernetes.kinds import MODEL_VERSIONS, Body
from slipway_operator.platforms.kubernetes.quantities import cores
from slipway_operator.platforms.kubernetes.settings import PlatformConfig
from slipway_operator.platforms.run_spec import run_spec

CONTAINER = "run"
COMPONENT = "run"
SPEC_KEY = "spec.json"
SPEC_FOLDER = "/etc/slipway/run"
TERMINATION_LOG = "/dev/termination-log"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
RENDEZVOUS_PORT = 29500
# Long enough to look at a Job after its end; its outcome is in the record.
TTL_SECONDS = 24 * 3600
# A run that hangs ends some time: beyond its own limit for what is no training (waiting for a
# node, reading data, the last evaluation), and for evaluations and imports as a whole.
DEADLINE_SECONDS = 6 * 3600
SHM_SIZE = "8Gi"


def build_record(run: DesiredRun, *, model: str, config: PlatformConfig, owner: Body) -> Body:
    """The ConfigMap with the run's whole input; ``owner`` is its ModelVersion."""
    where = config.artifacts
    spec = run_spec(run, Path(where.mount_path), model=model, store=where.s3.uri)
    data = {SPEC_KEY: orjson.dumps(spec.wire()).decode()}
    return {"metadata": _metadata(run, model, config, owner), "data": data}


def build_service(run: DesiredRun, *, model: str, config: PlatformConfig, owner: Body) -> Body:
    """The names under which the nodes of one run find their first."""
    return {
        "metadata": _metadata(run, model, config, owner),
        "spec": {
            "clusterIP": "None",
            # They must find one another before any of them is ready.
            "publishNotReadyAddresses": True,
            "selector": {"batch.kubernetes.io/job-name": run.name},
            "ports": [{"name": "rendezvous", "port": RENDEZVOUS_PORT}],
        },
    }


def nodes_of(run: DesiredRun) -> int:
    """How many pods work on the run at a time."""
    training = _training(run)
    return training.nodes if training is not None else 1


def build_job(run: DesiredRun, *, model: str, config: PlatformConfig, owner: Body) -> Body:
    """The Job. It is made once; one that exists is never rendered again."""
    training, nodes = _training(run), nodes_of(run)
    metadata = _metadata(run, model, config, owner)
    queue = training.queue if training is not None else None
    several = {"completionMode": "Indexed", "completions": nodes, "parallelism": nodes}
    deadline = _deadline(training)
    return {
        "metadata": {
            **metadata,
            "labels": metadata["labels"] | ({QUEUE_LABEL: queue} if queue else {}),
        },
        "spec": {
            "backoffLimit": run.backoff_limit * nodes,
            **(several if nodes > 1 else {}),
            **({"suspend": True} if queue else {}),
            **({"activeDeadlineSeconds": deadline} if deadline else {}),
            "ttlSecondsAfterFinished": TTL_SECONDS,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _failure_rules()},
            "template": {
                "metadata": {"labels": metadata["labels"]},
                "spec": _pod(run, config, training),
            },
        },
    }


def _failure_rules() -> list[Body]:
    def on(code: int) -> Body:
        return {"containerName": CONTAINER, "operator": "In", "values": [code]}

    return [
        {"action": "FailJob", "onExitCodes": on(EXIT_INVALID)},
        {
            "action": "Ignore",
            "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
        },
        {"action": "Ignore", "onExitCodes": on(EXIT_CHECKPOINTED)},
    ]


def _pod(run: DesiredRun, config: PlatformConfig, training: Training | None) -> Body:
    runs = config.runs
    gpu = training.resources.gpu if training is not None else 0
    spec = pod_parts.pod(
        config,
        service_account=runs.service_account,
        grace_seconds=runs.grace_period_seconds,
        priorityClassName=runs.priority_class,
        nodeSelector=dict(runs.node_selector),
        tolerations=pod_parts.tolerations(runs.tolerations, gpu=gpu),
        subdomain=run.name if nodes_of(run) > 1 else "",
    )
    return {
        **spec,
        "restartPolicy": "Never",
        "containers": [_container(run, config, training)],
        "volumes": [
            {"name": "spec", "configMap": {"name": run.name, "items": [_SPEC_ITEM]}},
            pod_parts.claim(config, read_only=False),
            *object_store.ca_volumes(config),
            pod_parts.TMP,
            *([pod_parts.shm(SHM_SIZE)] if gpu else []),
        ],
    }


_SPEC_ITEM = {"key": SPEC_KEY, "path": SPEC_KEY}


def _container(run: DesiredRun, config: PlatformConfig, training: Training | None) -> Body:
    needs = training.resources if training is not None else None
    return {
        "name": CONTAINER,
        "image": config.images.training,
        "imagePullPolicy": config.images.pull_policy,
        "command": ["python", "-m", "slipway_training"],
        "args": _arguments(run, config, threads=_threads(config, needs)),
        "env": [
            *pod_parts.environment(
                _variables(_threads(config, needs)),
                [*object_store.variables(config), *config.runs.env],
            ),
            *_rendezvous(run),
        ],
        "resources": _resources(config, needs),
        "securityContext": pod_parts.container_security(),
        # Where the run could not say why it ended, its last lines do.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "spec", "mountPath": SPEC_FOLDER, "readOnly": True},
            pod_parts.claim_mount(config, read_only=False),
            *object_store.ca_mounts(config),
            pod_parts.TMP_MOUNT,
            *([pod_parts.SHM_MOUNT] if needs is not None and needs.gpu else []),
        ],
    }


def _arguments(run: DesiredRun, config: PlatformConfig, *, threads: int) -> list[str]:
    work = f"{config.artifacts.mount_path}/runs/{run.name}"
    return [
        *("run", "--spec", f"{SPEC_FOLDER}/{SPEC_KEY}", "--work", work),
        *("--report", "stdout", "--result-file", TERMINATION_LOG),
        *("--threads", str(threads)),
    ]


def _threads(config: PlatformConfig, needs: Resources | None) -> int:
    return max(config.runs.threads, needs.cpu if needs is not None and not needs.gpu else 0)


def _variables(threads: int) -> dict[str, str]:
    return {
        "HOME": "/tmp",
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
    }


def _rendezvous(run: DesiredRun) -> list[Body]:
    """torchrun's own variables for a group of several machines."""
    nodes = nodes_of(run)
    if nodes == 1:
        return []
    index = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
    return [
        {"name": "PET_NNODES", "value": str(nodes)},
        {"name": "PET_NODE_RANK", "valueFrom": {"fieldRef": {"fieldPath": index}}},
        {"name": "PET_MASTER_ADDR", "value": f"{run.name}-0.{run.name}"},
        {"name": "PET_MASTER_PORT", "value": str(RENDEZVOUS_PORT)},
    ]


def _resources(config: PlatformConfig, needs: Resources | None) -> Body:
    if needs is None:
        return pod_parts.resources(cpu=str(config.runs.cpu), memory=str(config.runs.memory))
    cpu = cores(config.cpu_request(needs.cpu))
    return pod_parts.resources(cpu=cpu, memory=needs.memory, gpu=needs.gpu)


def _deadline(training: Training | None) -> int | None:
    if training is None:
        return DEADLINE_SECONDS
    if training.wall_clock_limit is None:
        return None
    return int(training.wall_clock_limit.total_seconds()) + DEADLINE_SECONDS


def _training(run: DesiredRun) -> Training | None:
    return run.request.training if isinstance(run.request, TrainRequest) else None


def _metadata(run: DesiredRun, model: str, config: PlatformConfig, owner: Body) -> Body:
    return {
        "name": run.name,
        "labels": pod_parts.labels(config, model=model, version=run.version, component=COMPONENT),
        "ownerReferences": [pod_parts.owned_by(MODEL_VERSIONS, owner)],
    }
