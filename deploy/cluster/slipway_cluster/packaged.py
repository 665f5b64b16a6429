"""Programs that the distribution has built: taken from a Debian package that is not installed.

Prometheus takes five minutes to compile and seconds to unpack. Unpacking needs no root, starts no
service and leaves the machine as it is. Where apt does not answer, the caller compiles.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from .commands import run
from .errors import ClusterError
from .versions import Package


def obtain(package: Package, target: Path) -> bool:
    """Whether ``target`` now is the program: a link to the installed one, or an unpacked copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # a link whose program is gone
    installed = shutil.which(Path(package.path).name)
    if installed:
        target.symlink_to(installed)
        return True
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return False
    try:
        _unpack(package, target)
    except ClusterError:
        return False
    return True


def _unpack(package: Package, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{package.name}-") as folder:
        archive = _download(package.name, Path(folder))
        run("dpkg-deb", "--extract", archive, folder)
        program = Path(folder) / package.path
        run(program, "--version")  # it was built for this machine
        program.replace(target)


def _download(name: str, folder: Path) -> Path:
    # apt-get downloads to where it stands.
    fetch = ("env", "--chdir", folder, "apt-get", "download", "-qq", name)
    try:
        run(*fetch)
    except ClusterError:
        if os.geteuid() != 0:
            raise
        run("apt-get", "update", "-qq")  # a fresh machine has no lists
        run(*fetch)
    return next(folder.glob("*.deb"))
