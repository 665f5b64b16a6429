"""The base image where nothing can be pulled: Debian 12 with Python, made by debootstrap.

It takes the place of ``debian:12-slim`` (build argument BASE). Knows nothing of what is built on
it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import machine
from .buildah import Buildah
from .catalog import BASE
from .commands import run
from .folders import Folders

PACKAGES = "python3,ca-certificates"
# What debootstrap leaves that no image needs; as in Debian's own slim image, no documentation.
LEFTOVERS = (
    *("var/cache/apt/archives/*.deb", "var/cache/apt/*.bin", "var/lib/apt/lists/*"),
    *("var/log/*.log", "usr/share/doc/*", "usr/share/man/*", "usr/share/locale/*"),
    "usr/share/info/*",
)
SLIM = """\
path-exclude /usr/share/doc/*
path-exclude /usr/share/man/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/info/*
"""


def ensure(buildah: Buildah, folders: Folders, say: Callable[[str], None]) -> str:
    """The base's image id; made when it is not there (about a minute)."""
    if found := buildah.image_id(BASE):
        return found
    say(f"{BASE}: debootstrap of Debian 12 with {PACKAGES}")
    root = Path(tempfile.mkdtemp(dir=folders.temporary))
    try:
        _bootstrap(root, log=folders.logs / "base.log")
        container = buildah.call("from", "scratch")
        buildah.call("add", "--quiet", container, root, "/")
        buildah.call("config", "--cmd=bash", container)
        buildah.call("commit", "--quiet", "--rm", "--format=oci", container, BASE)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return buildah.image_id(BASE)


def _bootstrap(root: Path, *, log: Path) -> None:
    mirror = machine.mirror(machine.apt_sources())
    options: list[str | Path] = ["--variant=minbase", f"--include={PACKAGES}", machine.SUITE, root]
    run(["debootstrap", *options, *mirror], log=log)
    for pattern in LEFTOVERS:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    (root / "etc/dpkg/dpkg.cfg.d/slim").write_text(SLIM)
    if mirror:
        # The machine's mirror is mounted during builds; it is nobody else's business.
        (root / "etc/apt/sources.list").write_text("")
