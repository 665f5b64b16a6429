"""MinIO in the test cluster: an S3 server of one pod with one bucket, and its keys where a release
looks for them.

Only its image and its manifest are this package's; the release takes it by the chart's values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from . import images, tools
from .cache import Folders
from .commands import run, tried

MANIFEST = Path(__file__).parents[1] / "minio.yaml"
VALUES = MANIFEST.with_name("values-minio.yaml")
NAMESPACE = "minio"
SECRET = "minio"
# The manifest's own; nothing outside the test cluster is behind them.
KEYS = {"accessKeyId": "slipway-test", "secretAccessKey": "slipway-test-only"}
PATIENCE = "3m"


def image(folders: Folders, *, say: Callable[[str], None]) -> Path:
    """The archive of its image; the binary is built where it is missing."""
    tools.build(folders, ["minio"], say=say)
    return images.minio(folders)


def install(folders: Folders, namespace: str, *, say: Callable[[str], None]) -> None:
    """Apply it, wait for it, and put its keys into the release's namespace."""
    environment = {"KUBECONFIG": str(folders.admin)}
    kubectl = tools.kubectl(folders)
    say(f"applies {MANIFEST.name}")
    run(kubectl, "apply", "--server-side", "--filename", MANIFEST, environment=environment)
    rollout = ("rollout", "status", "deployment/minio", "--namespace", NAMESPACE)
    run(kubectl, *rollout, "--timeout", PATIENCE, environment=environment)
    _give_keys(kubectl, namespace, environment=environment)
    say(f"its keys are in the Secret {SECRET} of {namespace}; install with --values {VALUES}")


def _give_keys(kubectl: str, namespace: str, *, environment: Mapping[str, str]) -> None:
    admin = environment["KUBECONFIG"]
    if not tried(kubectl, "--kubeconfig", admin, "get", "namespace", namespace):
        run(kubectl, "create", "namespace", namespace, environment=environment)
    literals = [f"--from-literal={name}={value}" for name, value in KEYS.items()]
    made = run(
        *(kubectl, "create", "secret", "generic", SECRET, "--namespace", namespace),
        *(*literals, "--dry-run=client", "--output=yaml"),
        environment=environment,
    )
    run(
        *(kubectl, "apply", "--server-side", "--filename", "-"),
        text=made,
        environment=environment,
    )
