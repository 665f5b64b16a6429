"""The Prometheus operator in the test cluster, and a Prometheus that it makes: as a user of
kube-prometheus-stack has them, without the rest of the stack.

Manifests and CRDs come from the operator's Go module, images from the tools' binaries. That
Prometheus takes what carries the label of ``LABELS``, from every namespace.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import images, kuberay, tools
from .cache import Folders
from .commands import run
from .versions import PROMETHEUS, TOOLS

NAMESPACE = "monitoring"
NAME = "test"
MODULE = "github.com/prometheus-operator/prometheus-operator"
TOOL = "prometheus-operator"
VALUES = Path(__file__).parents[1] / "values-monitored.yaml"
LABELS = {"release": "test"}
# The operator writes its configuration for this one.
RELEASE = PROMETHEUS.replace("v0.", "v2.", 1)
PATIENCE = "4m"
RBAC = "rbac.authorization.k8s.io"


def archives(folders: Folders, *, say: Callable[[str], None]) -> list[Path]:
    """Archives of the three images; what is missing is built."""
    tools.build(folders, ["monitoring"], say=say)
    return images.monitoring(folders)


def install(folders: Folders, *, say: Callable[[str], None]) -> None:
    """Apply it all and wait for it. Raises ClusterError."""
    environment = {"KUBECONFIG": str(folders.admin)}
    kubectl = tools.kubectl(folders)
    say(f"applies the Prometheus operator in {NAMESPACE}")
    kuberay.apply(manifests(folders), kubeconfig=folders.admin, kubectl=kubectl)
    rollout = ("rollout", "status", "--namespace", NAMESPACE, "--timeout", PATIENCE)
    run(kubectl, *rollout, f"deployment/{TOOL}", environment=environment)
    body = {"apiVersion": "v1", "kind": "List", "items": objects()}
    run(
        *(kubectl, "apply", "--server-side", "--filename", "-"),
        text=json.dumps(body),
        environment=environment,
    )
    ready = ("--for=condition=Available", "--timeout", PATIENCE, f"prometheus/{NAME}")
    run(kubectl, "wait", "--namespace", NAMESPACE, *ready, environment=environment)
    say(f"a Prometheus runs in {NAMESPACE}; install with --values {VALUES}")


def manifests(folders: Folders) -> Path:
    """The operator's bundle, in a namespace of its own and with our images: one file, kept."""
    body = kustomization()
    ours = hashlib.sha256(json.dumps(body).encode()).hexdigest()[:8]
    target = _kept(folders, f"{ours}.yaml")
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            bundle = tools.module_folder(folders, TOOL, MODULE) / "bundle.yaml"
            shutil.copyfile(bundle, Path(scratch, "bundle.yaml"))
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
            Path(scratch, "namespace.json").write_text(json.dumps(namespace), "utf-8")
            Path(scratch, "kustomization.yaml").write_text(json.dumps(body), "utf-8")
            text = run(tools.kubectl(folders), "kustomize", scratch)
        partial = target.with_suffix(".partial")
        partial.write_text(text, "utf-8")
        partial.rename(target)
    return target


def crds(folders: Folders) -> Path:
    """A folder of the operator's CRDs alone: what an object of its kinds may be."""
    target = _kept(folders, "crds")
    if not target.exists():
        source = tools.module_folder(folders, TOOL, MODULE) / "example" / "prometheus-operator-crd"
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            copied = shutil.copytree(source, Path(scratch, "crds"))
            copied.chmod(0o755)
            if not target.exists():
                copied.rename(target)
    return target


def kustomization() -> dict[str, Any]:
    """What is changed of the bundle: namespace, images, and limits that a busy machine breaks."""
    name, _, tag = images.PROMETHEUS_OPERATOR_IMAGE.rpartition(":")
    container = "/spec/template/spec/containers/0"
    arguments = [f"--prometheus-config-reloader={images.CONFIG_RELOADER_IMAGE}"]
    change = [
        {"op": "replace", "path": f"{container}/args", "value": arguments},
        {"op": "replace", "path": f"{container}/resources", "value": kuberay.RESOURCES},
    ]
    target = {"kind": "Deployment", "name": TOOL}
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": NAMESPACE,
        "resources": ["bundle.yaml", "namespace.json"],
        "images": [
            {
                "name": "quay.io/prometheus-operator/prometheus-operator",
                "newName": name,
                "newTag": tag,
            }
        ],
        "patches": [{"target": target, "patch": json.dumps(change)}],
    }


def objects() -> Sequence[Mapping[str, Any]]:
    """The Prometheus, its rights and its Service. Pure."""
    account = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
    role = f"slipway:{NAME}-prometheus"
    read = {"verbs": ["get", "list", "watch"]}
    rules = [
        {"apiGroups": [""], "resources": ["services", "endpoints", "pods"], **read},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], **read},
    ]
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
    ports = [{"name": "web", "port": 9090, "targetPort": "web"}]
    service = {"selector": {"prometheus": NAME}, "ports": ports}
    return [
        _object("v1", "ServiceAccount", NAME, {}),
        _object(f"{RBAC}/v1", "ClusterRole", role, {"rules": rules}),
        _object(
            f"{RBAC}/v1", "ClusterRoleBinding", role, {"roleRef": reference, "subjects": [account]}
        ),
        _object("v1", "Service", "prometheus", {"spec": service}),
        _object("monitoring.coreos.com/v1", "Prometheus", NAME, {"spec": _wanted()}),
    ]


def _wanted() -> dict[str, Any]:
    everywhere: dict[str, Any] = {}
    labelled = {"matchLabels": LABELS}
    kinds = ("serviceMonitor", "podMonitor", "rule")
    chosen = {f"{kind}Selector": labelled for kind in kinds}
    chosen |= {f"{kind}NamespaceSelector": everywhere for kind in kinds}
    return {
        "image": images.PROMETHEUS_IMAGE,
        "version": RELEASE,
        "replicas": 1,
        "serviceAccountName": NAME,
        "evaluationInterval": "5s",
        "scrapeInterval": "5s",
        "resources": {"requests": {"cpu": "50m", "memory": "200Mi"}},
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532},
        **chosen,
    }


def _object(version: str, kind: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    spaced = {} if kind.startswith("Cluster") else {"namespace": NAMESPACE}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **spaced}, **body}


def _kept(folders: Folders, ending: str) -> Path:
    return folders.cache / "cluster" / "manifests" / f"{TOOLS[TOOL].key}.{ending}"
