"""The KubeRay operator: its manifests from its Go module, its image from the built binary.

The rendered manifests are kept in the cache, so that only the first time needs Go.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from . import commands, images, tools
from .cache import Folders
from .client import Client
from .errors import ClusterError
from .processes import wait_until
from .versions import TOOLS

NAMESPACE = "kuberay-system"
MODULE = "github.com/ray-project/kuberay/ray-operator"
READY_SECONDS = 240.0
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/kuberay-operator"
# Its own limit of a tenth of a core makes every reconcile of a busy test machine wait.
RESOURCES = {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}}


def manifests(folders: Folders) -> Path:
    """Namespace, CRDs, rights and Deployment, as one file."""
    body = kustomization(base="config/default", image=images.KUBERAY_IMAGE)
    # What we change of it is part of the name, so that a change of ours is not taken for cached.
    ours = hashlib.sha256(json.dumps(body).encode()).hexdigest()[:8]
    target = _kept(folders, f"{ours}.yaml")
    if not target.exists():
        source = tools.module_folder(folders, "kuberay-operator", MODULE) / "config" / "default"
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            # kustomize takes a folder as a base only relative to its own.
            shutil.copytree(source.parent, Path(scratch, "config"))
            text = rendered(Path(scratch), body, kubectl=tools.kubectl(folders))
        partial = target.with_suffix(".partial")
        partial.write_text(text, "utf-8")
        partial.rename(target)
    return target


def crds(folders: Folders) -> Path:
    """A folder of the CRDs alone, for a control plane without nodes."""
    target = _kept(folders, "crds")
    if not target.exists():
        source = tools.module_folder(folders, "kuberay-operator", MODULE) / "config/crd/bases"
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            copied = shutil.copytree(source, Path(scratch, "crds"))
            copied.chmod(0o755)
            if not target.exists():
                copied.rename(target)
    return target


def kustomization(*, base: str, image: str | None) -> dict[str, object]:
    """KubeRay's own default, in a namespace of its own; ``image`` replaces the registry's."""
    body: dict[str, object] = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": NAMESPACE,
        "resources": [base, "namespace.json"],
    }
    if image is not None:
        name, _, tag = image.rpartition(":")
        body["images"] = [{"name": "quay.io/kuberay/operator", "newName": name, "newTag": tag}]
    container = "/spec/template/spec/containers/0"
    change = [
        {"op": "replace", "path": f"{container}/resources", "value": RESOURCES},
        {"op": "replace", "path": f"{container}/readinessProbe/initialDelaySeconds", "value": 1},
        {"op": "replace", "path": f"{container}/readinessProbe/periodSeconds", "value": 1},
    ]
    target = {"kind": "Deployment", "name": "kuberay-operator"}
    body["patches"] = [{"target": target, "patch": json.dumps(change)}]
    return body


def rendered(scratch: Path, body: dict[str, object], *, kubectl: str = "kubectl") -> str:
    """What kustomize makes of it, in a scratch folder that holds the base where it is relative."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    (scratch / "namespace.json").write_text(json.dumps(namespace), "utf-8")
    (scratch / "kustomization.yaml").write_text(json.dumps(body), "utf-8")
    return commands.run(kubectl, "kustomize", scratch)


def apply(manifest: Path, *, kubeconfig: Path, kubectl: str = "kubectl") -> None:
    """Server-side: the CRDs are too large for an annotation."""
    commands.run(
        *(kubectl, "--kubeconfig", kubeconfig, "apply", "--server-side", "--force-conflicts"),
        *("--filename", manifest),
    )


def ready(client: Client) -> bool:
    """Whether its Deployment is available."""
    status, text = client.raw("GET", DEPLOYMENT)
    return status == 200 and bool(json.loads(text).get("status", {}).get("availableReplicas"))


def await_ready(client: Client) -> None:
    """Wait; ClusterError names what to look at."""
    if not wait_until(lambda: ready(client), seconds=READY_SECONDS, every=0.5):
        raise ClusterError(
            f"the KubeRay operator is not available after {READY_SECONDS:.0f} s; see: kubectl -n "
            f"{NAMESPACE} describe pods"
        )


def _kept(folders: Folders, ending: str) -> Path:
    return folders.cache / "cluster" / "manifests" / f"{TOOLS['kuberay-operator'].key}.{ending}"
