"""The cluster's own images, each one static binary: sandbox, KubeRay, MinIO, Prometheus."""

from __future__ import annotations

from pathlib import Path

from . import archive, layout, tools
from .cache import Folders
from .versions import TOOLS

PAUSE_SOURCE = Path(__file__).parents[1] / "pause" / "main.go"
KUBERAY_IMAGE = f"docker.io/slipway/kuberay-operator:{TOOLS['kuberay-operator'].version}"
MINIO_IMAGE = "docker.io/slipway/minio:test"
PROMETHEUS_OPERATOR_IMAGE = (
    f"docker.io/slipway/prometheus-operator:{TOOLS['prometheus-operator'].version}"
)
CONFIG_RELOADER_IMAGE = (
    f"docker.io/slipway/prometheus-config-reloader:{TOOLS['prometheus-config-reloader'].version}"
)
PROMETHEUS_IMAGE = f"docker.io/slipway/prometheus:{TOOLS['prometheus-server'].version}"
USER = "65532:65532"


def pause(folders: Folders) -> Path:
    """The archive of the sandbox image, made once."""
    target = folders.images / "pause-1.tar"
    if not target.exists():
        binary = folders.images / "pause-1"
        tools.compile_file(PAUSE_SOURCE, binary)
        archive.write(
            target, name=layout.PAUSE_IMAGE, binary=binary, path="/pause", user="65535:65535"
        )
        binary.unlink()
    return target


def kuberay(folders: Folders) -> Path:
    """The archive of the operator image, made once a version."""
    return _of_tool(folders, "kuberay-operator", name=KUBERAY_IMAGE, path="/manager")


def minio(folders: Folders) -> Path:
    """The archive of the S3 server's image, made once a version."""
    return _of_tool(folders, "minio", name=MINIO_IMAGE, path="/minio")


def monitoring(folders: Folders) -> list[Path]:
    """The archives of the Prometheus operator, its reloader and a Prometheus."""
    operator, reloader = "prometheus-operator", "prometheus-config-reloader"
    return [
        _of_tool(folders, operator, name=PROMETHEUS_OPERATOR_IMAGE, path="/operator"),
        _of_tool(folders, reloader, name=CONFIG_RELOADER_IMAGE, path=f"/bin/{reloader}"),
        _of_tool(folders, "prometheus-server", name=PROMETHEUS_IMAGE, path="/bin/prometheus"),
    ]


def _of_tool(folders: Folders, tool: str, *, name: str, path: str) -> Path:
    target = folders.images / f"{TOOLS[tool].key}.tar"
    if not target.exists():
        binary = tools.path_of(folders, tool)
        archive.write(target, name=name, binary=binary, path=path, user=USER)
    return target
