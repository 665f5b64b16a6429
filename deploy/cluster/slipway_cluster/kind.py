"""The same cluster by kind, where a Docker daemon answers: for machines with a registry.

kind brings its own default StorageClass, DNS and image store. Only commands of kind, docker and
kubectl are run here.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from . import commands, kuberay
from .cache import Folders
from .errors import ClusterError
from .versions import TOOLS

NAME = "slipway"
CONFIG = Path(__file__).parents[1] / "kind-config.yaml"
KUBERAY = (
    "https://github.com/ray-project/kuberay/ray-operator/config/default"
    f"?ref={TOOLS['kuberay-operator'].version}"
)
WAIT_SECONDS = 300


def available() -> bool:
    """Whether kind is installed and a Docker daemon answers."""
    if not shutil.which("kind") or not shutil.which("docker"):
        return False
    return bool(commands.tried("docker", "version", "--format", "{{.Server.Version}}").strip())


class Kind:
    """The kind cluster called ``slipway``, running or not."""

    def __init__(self, folders: Folders, *, say: Callable[[str], None]) -> None:
        self.folders, self.say = folders, say

    def exists(self) -> bool:
        """Whether kind knows it."""
        return NAME in commands.tried("kind", "get", "clusters").split()

    def up(self, *, with_kuberay: bool, install: bool) -> None:
        """Create it, or say that it runs. ``install`` is for the assembled cluster."""
        del install
        self.folders.state.mkdir(parents=True, exist_ok=True)
        if self.exists():
            self.say("already up")
            commands.run(*self._kind("export", "kubeconfig"))
        else:
            self.say("creating a kind cluster …")
            wait = ["--wait", f"{WAIT_SECONDS}s"]
            commands.run(*self._kind("create", "cluster"), "--config", CONFIG, *wait)
        if with_kuberay:
            self._install_kuberay()

    def down(self, *, force: bool = False) -> None:
        """Delete it. ``force`` changes nothing here: kind leaves nothing."""
        del force
        if not self.exists():
            return self.say("not up")
        commands.run(*self._kind("delete", "cluster"))
        shutil.rmtree(self.folders.state, ignore_errors=True)
        return self.say("down")

    def whole(self) -> bool:
        """Whether its node is Ready."""
        path = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"
        said = commands.tried(*self._kubectl("get", "nodes", "-o", path)).split()
        return bool(said) and set(said) == {"True"}

    def status(self) -> list[str]:
        """Lines for a person."""
        if not self.exists():
            return ["down"]
        nodes = commands.tried(*self._kubectl("get", "nodes")).strip()
        operator = commands.tried(*self._kubectl("-n", kuberay.NAMESPACE, "get", "pods")).strip()
        return [nodes, operator or "no KubeRay operator", f"kubeconfig: {self.folders.admin}"]

    def logs(self) -> dict[str, Path]:
        """Exported afresh; a folder has too many to list by name."""
        folder = Path(tempfile.mkdtemp(prefix="slipway-kind-logs-"))
        commands.run("kind", "export", "logs", folder, "--name", NAME)
        return {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*.log"))}

    def load(self, paths: Sequence[Path]) -> None:
        """Import image archives into the node."""
        if not self.exists():
            raise ClusterError("the cluster is down; run: make cluster")
        for path in paths:
            commands.run("kind", "load", "image-archive", path, "--name", NAME)
            self.say(f"{path.name}: imported")

    def _install_kuberay(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            body = kuberay.kustomization(base=KUBERAY, image=None)
            text = kuberay.rendered(Path(scratch), body)
            manifest = Path(scratch, "kuberay.yaml")
            manifest.write_text(text, "utf-8")
            kuberay.apply(manifest, kubeconfig=self.folders.admin)
        target = ["deployment/kuberay-operator", f"--timeout={WAIT_SECONDS}s"]
        commands.run(*self._kubectl("-n", kuberay.NAMESPACE, "rollout", "status"), *target)

    def _kind(self, verb: str, noun: str) -> list[str | Path]:
        return ["kind", verb, noun, "--name", NAME, "--kubeconfig", self.folders.admin]

    def _kubectl(self, *arguments: str) -> list[str | Path]:
        return ["kubectl", "--kubeconfig", self.folders.admin, *arguments]
