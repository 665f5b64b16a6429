"""Building where no Docker daemon answers and nothing can be pulled.

buildah in a chroot, on a base that debootstrap makes (``base.py``); layers are cached by content in
a store of our own, which ``store.py`` reads.
"""

from __future__ import annotations

import os
from pathlib import Path

from . import machine
from .catalog import BASE, ROOT, Image
from .commands import run, succeeds
from .folders import Folders


class Buildah:
    """One store below ``folders``; needs root."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._environment = {**os.environ, "TMPDIR": str(folders.temporary)}

    def call(self, *words: str | Path, log: Path | None = None) -> str:
        """buildah's output; everything it writes lies below the cache."""
        store, folder = self._folders.store, self._folders
        options = ["--storage-driver=overlay", f"--root={store}", f"--runroot={folder.home}/run"]
        return run(["buildah", *options, *words], log=log, environment=self._environment).strip()

    def image_id(self, reference: str) -> str:
        """Empty when there is no such image."""
        listed = self.call("images", "--format", "{{.ID}} {{.Name}}:{{.Tag}}", "--no-trunc")
        found = [line.split()[0] for line in listed.splitlines() if line.split()[1:] == [reference]]
        return found[0] if found else ""

    def build(self, image: Image, log: Path) -> None:
        """Build ``image`` from the checkout, from its first layer that changed on."""
        given = {"BASE": BASE, **image.arguments}
        self.call(
            *("build", "--layers", "--isolation=chroot", "--pull-never", "--format=oci"),
            *(f"--build-arg={name}={value}" for name, value in given.items()),
            *(f"--volume={volume}" for volume in machine.volumes(self._folders.machine)),
            *(f"--file={ROOT / image.dockerfile}", f"--tag={image.reference}", ROOT),
            log=log,
        )

    def prune(self) -> None:
        """Drop what builds that failed left and images that no name refers to."""
        self.call("rm", "--all")
        self.call("rmi", "--prune", "--force")


def available() -> bool:
    """Whether this machine can build so."""
    return os.geteuid() == 0 and succeeds(["buildah", "--version"])
