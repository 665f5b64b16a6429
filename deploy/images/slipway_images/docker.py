"""Building where a Docker daemon answers: the same Dockerfiles, Docker's own cache.

Loading goes through kind, whose nodes have a containerd of their own.
"""

from __future__ import annotations

from pathlib import Path

from .catalog import ROOT, Image
from .commands import run, succeeds


def available() -> bool:
    """Whether a daemon answers (a client alone is not enough)."""
    return succeeds(["docker", "version", "--format", "{{.Server.Version}}"])


def build(image: Image, log: Path) -> None:
    """Build and tag ``image``; BuildKit, as the Dockerfiles mount one stage into another."""
    arguments = [f"--build-arg={name}={value}" for name, value in image.arguments.items()]
    names = [f"--file={ROOT / image.dockerfile}", f"--tag={image.reference}"]
    run(["docker", "buildx", "build", "--load", *arguments, *names, ROOT], log=log)


def load(image: Image, cluster: str) -> None:
    """Hand ``image`` to the nodes of the kind cluster; kind skips what they have."""
    run(["kind", "load", "docker-image", "--name", cluster, image.reference])


def size(reference: str) -> int:
    """Bytes of the image, uncompressed."""
    return int(run(["docker", "image", "inspect", "--format", "{{.Size}}", reference]))
