"""The cluster's own images, each one static binary: the pods' sandbox, KubeRay, MinIO."""

from __future__ import annotations

from pathlib import Path

from . import archive, layout, tools
from .cache import Folders
from .versions import TOOLS

PAUSE_SOURCE = Path(__file__).parents[1] / "pause" / "main.go"
KUBERAY_IMAGE = f"docker.io/slipway/kuberay-operator:{TOOLS['kuberay-operator'].version}"
MINIO_IMAGE = "docker.io/slipway/minio:test"
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


def _of_tool(folders: Folders, tool: str, *, name: str, path: str) -> Path:
    target = folders.images / f"{TOOLS[tool].key}.tar"
    if not target.exists():
        binary = tools.path_of(folders, tool)
        archive.write(target, name=name, binary=binary, path=path, user=USER)
    return target
