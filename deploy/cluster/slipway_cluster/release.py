"""The chart of this checkout, installed in a namespace of the test cluster as its users would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from . import tools
from .cache import Folders
from .commands import run, tried

NAME = "slipway"
CHART = Path(__file__).parents[3] / "charts/slipway"
PATIENCE = "5m"
# What the docs tell everybody to do: every pod of a release meets it.
LABEL = "pod-security.kubernetes.io/enforce=restricted"


def install(folders: Folders, namespace: str, *values: Path, say: Callable[[str], None]) -> None:
    """Install or upgrade, until everything of the release is ready. Raises ClusterError."""
    environment = _environment(folders)
    if not tried("kubectl", "--kubeconfig", folders.admin, "get", "namespace", namespace):
        run("kubectl", "create", "namespace", namespace, environment=environment)
    run(
        *("kubectl", "label", "--overwrite", "namespace", namespace, LABEL),
        environment=environment,
    )
    say(f"installs the chart as {NAME} in {namespace}")
    files = (CHART / "values-test.yaml", *values)
    run(
        *(tools.path_of(folders, "helm"), "upgrade", "--install", NAME, CHART),
        *("--namespace", namespace, "--wait", "--timeout", PATIENCE),
        *(part for path in files for part in ("--values", path)),
        environment=environment,
    )


def remove(folders: Folders, namespace: str, *, say: Callable[[str], None]) -> None:
    """The whole namespace. Raises ClusterError when it does not go."""
    say(f"deletes the namespace {namespace}")
    run(
        *("kubectl", "delete", "namespace", namespace, "--ignore-not-found", "--timeout", PATIENCE),
        environment=_environment(folders),
    )


def _environment(folders: Folders) -> Mapping[str, str]:
    return {"KUBECONFIG": str(folders.admin)}
