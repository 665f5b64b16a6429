"""Which images there are, and what each is made of.

An image's content key is a hash of its Dockerfile and of everything that its COPY lines name: equal
keys need no build. Reads the Dockerfile for that, so that nothing is said twice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import ImagesError

ROOT = Path(__file__).resolve().parents[3]
REPOSITORY = "docker.io/slipway"
BASE = f"{REPOSITORY}/base:debian12"
# As in .dockerignore.
LEFT_OUT = ("__pycache__", ".egg-info")
COPY = re.compile(r"^COPY (?!--from=)(\S+) ", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """``lock`` is the build argument LOCK, for images whose variants differ by it."""

    name: str
    dockerfile: str
    tag: str
    lock: str = ""

    @property
    def reference(self) -> str:
        """Fully qualified, so that containerd and Docker mean the same."""
        return f"{REPOSITORY}/{self.name}:{self.tag}"

    @property
    def arguments(self) -> dict[str, str]:
        """Build arguments beside BASE."""
        return {"VERSION": self.tag} | ({"LOCK": self.lock} if self.lock else {})

    def sources(self, root: Path = ROOT) -> list[str]:
        """What its COPY lines take from the checkout."""
        text = (root / self.dockerfile).read_text()
        return [name.replace("${LOCK}", self.lock) for name in COPY.findall(text)]

    def key(self, base: str, root: Path = ROOT) -> str:
        """Hash of all that goes into the image; ``base`` identifies the image it starts from."""
        digest = hashlib.sha256(f"{base}\n{sorted(self.arguments.items())}".encode())
        for path in _files(root, [self.dockerfile, *self.sources(root)]):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            mode = path.stat().st_mode & 0o111
            digest.update(f"{path.relative_to(root)} {mode} {content}\n".encode())
        return digest.hexdigest()[:16]


# Small ones first: who waits for the operator should not wait for torch.
DOCKERFILES = {
    "operator": "operator/Dockerfile",
    "gateway": "services/gateway/Dockerfile",
    "worker": "services/worker/Dockerfile",
    "postgres": "deploy/postgres/Dockerfile",
    "training": "training-jobs/Dockerfile",
    "engine": "services/engine/Dockerfile",
}
VARIANTS = ("engine", "training")


def images(names: list[str], *, tag: str, gpu: bool) -> list[Image]:
    """The images called ``names`` (none: all), in order; CUDA variants are tagged ``-cuda``."""
    known = VARIANTS if gpu else tuple(DOCKERFILES)
    if wrong := [name for name in names if name not in known]:
        raise ImagesError(f"no image {', '.join(wrong)}; there are {', '.join(known)}")
    lock = "-gpu" if gpu else ""
    return [
        Image(
            name=name,
            dockerfile=path,
            tag=f"{tag}-cuda" if gpu else tag,
            lock=name + lock if name in VARIANTS else "",
        )
        for name, path in DOCKERFILES.items()
        if name in (names or known)
    ]


def _files(root: Path, names: list[str]) -> Iterator[Path]:
    for name in names:
        path = root / name
        if not path.exists():
            raise ImagesError(f"{name} is copied into an image but is not in {root}")
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in found:
            left_out = any(part.endswith(LEFT_OUT) for part in file.relative_to(root).parts)
            if file.is_file() and not left_out:
                yield file
