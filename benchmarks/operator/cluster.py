"""A control plane with KWOK nodes that run Jobs' pods: what both operators are measured against.

Etcd, API server, scheduler and the Job controller are real; a pod "runs" when KWOK says so and ends
with the result of an import in its termination message, as the training image would leave it. The
components' own request limits are lifted, so that they do not set the pace.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway_cluster import cache, components, kuberay, pki, tools
from slipway_cluster.controlplane import CONTROLLERS, ControlPlane
from slipway_cluster.processes import Leash, Process
from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.run import RunResult

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "bench"
OPERATOR = "bench-operator"
NODES = 8
SIMULATED = ("kube-controller-manager", "kube-scheduler", "kwok")
QUICK = ("--kube-api-qps=2000", "--kube-api-burst=4000")
WRITES = ("create", "update", "patch", "delete", "deletecollection")
RESULT = RunResult(
    artifact=ArtifactRef(
        uri="file:///var/lib/slipway/artifacts/bench", digest=f"sha256:{'ab' * 32}"
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where it answers, and the log of every write that the operator made."""

    plane: ControlPlane
    simulated: tuple[int, ...]
    operator_kubeconfig: Path

    @property
    def audit_log(self) -> Path:
        return self.plane.audit_log

    @property
    def pids(self) -> list[int]:
        """Every process of it."""
        return [*filter(None, self.plane.running().values()), *self.simulated]


@contextmanager
def cluster(home: Path) -> Iterator[Cluster]:
    """For as long as the context is open."""
    home.mkdir(parents=True)
    policy = home / "audit.json"
    policy.write_text(json.dumps(_audit_policy()), "utf-8")
    plane = ControlPlane(
        home / "plane",
        crds=[ROOT / "deploy" / "crds", kuberay.crds(cache.folders())],
        apiserver_flags=components.audit_flags(policy=policy, log=home / "plane" / "audit.log"),
    )
    tools.require(cache.folders(), SIMULATED)
    with plane, ExitStack() as undo:
        _furnish(plane)
        simulated = _start(plane, home, undo)
        yield Cluster(
            plane=plane,
            simulated=simulated,
            operator_kubeconfig=plane.kubeconfig_for(
                OPERATOR, groups=["system:masters"], namespace=NAMESPACE
            ),
        )


def _audit_policy() -> dict[str, Any]:
    """The operator's writes, without bodies: one short line each."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "Metadata", "users": [OPERATOR], "verbs": list(WRITES)},
            {"level": "None"},
        ],
    }


def _start(plane: ControlPlane, home: Path, undo: ExitStack) -> tuple[int, ...]:
    """Job controller, scheduler and KWOK; they die with this process. Their pids."""
    binary = {name: tools.path_of(cache.folders(), name) for name in SIMULATED}
    stages = home / "kwok.yaml"
    stages.write_text("\n---\n".join(json.dumps(one) for one in (NODE, _run_ends())), "utf-8")
    manager = components.controller_manager(
        binary["kube-controller-manager"],
        kubeconfig=plane.component("manager", user="system:kube-controller-manager"),
        authority=pki.Authority(folder=plane.home / "pki"),
        controllers=(*CONTROLLERS, "job-controller"),
    )
    scheduler = components.scheduler(
        binary["kube-scheduler"],
        kubeconfig=plane.component("scheduler", user="system:kube-scheduler"),
    )
    kwok = [
        str(binary["kwok"]),
        f"--kubeconfig={plane.kubeconfig}",
        f"--config={stages}",
        "--manage-all-nodes",
        "--node-lease-duration-seconds=0",
        "--server-address=127.0.0.1:0",
    ]
    pids = []
    for name, argv in (
        ("kube-controller-manager", [*manager, *QUICK, "--concurrent-job-syncs=20"]),
        ("kube-scheduler", [*scheduler, *QUICK]),
        ("kwok", kwok),
    ):
        process = Process(home=home, name=name)
        pids.append(process.start(argv))
        undo.callback(process.stop, patience=2.0)
    undo.callback(Leash(pids).release)
    return tuple(pids)


def _run_ends() -> dict[str, Any]:
    """A scheduled pod of a run ends well, with its result."""
    ended = {"exitCode": 0, "reason": "Completed", "message": json.dumps(RESULT.wire())}
    status = f"""
phase: Succeeded
startTime: {{{{ Now | Quote }}}}
containerStatuses:
{{{{ range .spec.containers }}}}
- name: {{{{ .name | Quote }}}}
  image: {{{{ .image | Quote }}}}
  imageID: ""
  ready: false
  restartCount: 0
  state:
    terminated: {json.dumps(ended)}
{{{{ end }}}}
"""
    return _stage("Pod", status, key=".status.phase", operator="In", values=["Pending"])


def _stage(kind: str, status: str, **matches: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": f"bench-{kind.lower()}"},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {"matchExpressions": [matches]},
            "next": {"statusTemplate": status},
        },
    }


READY = '[{"type": "Ready", "status": "True", "reason": "Kwok"}]'
# KWOK plays pods on nodes that it plays too.
NODE = _stage("Node", f"conditions: {READY}", key=".status.conditions", operator="DoesNotExist")


def _furnish(plane: ControlPlane) -> None:
    """Namespace, nodes with room, and what the pods of runs name."""
    plane.create_namespace(NAMESPACE)
    core = f"/api/v1/namespaces/{NAMESPACE}"
    for name in ("default", "slipway-run", "slipway-engine"):
        plane.request("POST", f"{core}/serviceaccounts", {"metadata": {"name": name}})
    anchor = {"metadata": {"name": "slipway-platform"}}
    plane.request("POST", f"{core}/configmaps", anchor)
    _claim(plane, core)
    for number in range(NODES):
        _node(plane, f"kwok-{number}")


def _claim(plane: ControlPlane, core: str) -> None:
    """A claim and its volume, bound to each other as the volume controller would."""
    size, modes = {"storage": "1Ti"}, ["ReadWriteMany"]
    claim = plane.request(
        "POST",
        f"{core}/persistentvolumeclaims",
        {
            "metadata": {
                "name": "slipway-artifacts",
                "annotations": {"pv.kubernetes.io/bind-completed": "yes"},
            },
            "spec": {
                "accessModes": modes,
                "resources": {"requests": size},
                "storageClassName": "",
                "volumeName": "artifacts",
            },
        },
    )
    plane.request(
        "POST",
        "/api/v1/persistentvolumes",
        {
            "metadata": {"name": "artifacts"},
            "spec": {
                "accessModes": modes,
                "capacity": size,
                "hostPath": {"path": "/artifacts"},
                "claimRef": {
                    "namespace": NAMESPACE,
                    "name": "slipway-artifacts",
                    "uid": claim["metadata"]["uid"],
                },
            },
        },
    )


def _node(plane: ControlPlane, name: str) -> None:
    room = {"cpu": "4000", "memory": "16Ti", "pods": "10000"}
    body = {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {"capacity": room, "allocatable": room},
    }
    plane.request("POST", "/api/v1/nodes", body)
    # Admission taints a new node; whoever would take that off does not run here.
    untaint: dict[str, Any] = {"spec": {"taints": []}}
    content = "application/merge-patch+json"
    plane.request("PATCH", f"/api/v1/nodes/{name}", untaint, content_type=content)
