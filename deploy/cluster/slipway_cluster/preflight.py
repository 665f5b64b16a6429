"""What the machine must have before anything is started; one line names the fix.

Packages are installed only when asked (``--install-packages`` or ``CI=true``).
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from . import commands, layout
from .errors import ClusterError

# Program or file → Debian package.
PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    str(layout.CNI_BINARIES / "bridge"): "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "openssl": "openssl",
    "umount": "mount",
}
# What builds container images where no Docker daemon does (deploy/images).
BUILDERS = {"buildah": "buildah", "debootstrap": "debootstrap"}
# A path that still leaves room for the sockets below it (108 bytes is the kernel's limit).
LONGEST_STATE = 70


def missing_packages(
    found: Callable[[str], object] = shutil.which, *, builders: bool = False
) -> list[str]:
    """Debian packages to install; which() finds absolute paths too."""
    wanted = {**PACKAGES, **(BUILDERS if builders else {})}
    return sorted({package for program, package in wanted.items() if not found(program)})


def check(state: Path, *, install: bool, builders: bool = False) -> None:
    """Raise ClusterError for what hinders an assembled cluster here (and building its images)."""
    if sys.platform != "linux":
        raise ClusterError(
            "an assembled cluster needs Linux; start Docker and install kind, then try again"
        )
    if os.geteuid() != 0:
        raise ClusterError(
            "an assembled cluster needs root (containers, bridges, iptables): run it with sudo -E, "
            "or start Docker and install kind"
        )
    if len(str(state)) > LONGEST_STATE:
        raise ClusterError(f"{state} is too long for sockets; set SLIPWAY_CLUSTER_HOME shorter")
    _packages(install=install, builders=builders)


def isolates() -> None:
    """Raise ClusterError where root may not make namespaces, as in most containers."""
    try:
        commands.run("unshare", "--mount", "--net", "--pid", "--fork", "true")
    except ClusterError as refused:
        raise ClusterError(f"no containers can be started here: {refused}") from None


def ports_free() -> None:
    """Raise ClusterError naming a port that somebody else holds."""
    for address, port in layout.LISTENS:
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as taken:
                raise ClusterError(
                    f"{address}:{port} is taken ({taken.strerror}): another cluster runs here; end "
                    "it, then try again"
                ) from None


def nobodys(state: Path) -> None:
    """Raise ClusterError where the state folder, which ``down`` deletes, holds something else."""
    if state.exists() and any(state.iterdir()):
        raise ClusterError(
            f"{state} is not empty and not a cluster's; set SLIPWAY_CLUSTER_HOME to a folder that "
            "can be deleted"
        )


def browser(*, install: bool) -> None:
    """Debian's chromium, in which tests open reports. Raises ClusterError where there is none."""
    if shutil.which("chromium"):
        return
    if not install or os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ClusterError("chromium is missing; run as root: apt-get install -y chromium")
    _install(["chromium"])


def alone(remains: list[str]) -> None:
    """Raise ClusterError where a Kubernetes that is not ours uses the machine."""
    if remains:
        listed = "\n  ".join(remains)
        raise ClusterError(
            f"another Kubernetes uses this machine, or one was not ended well:\n  {listed}\n"
            "end it; only if it was one of ours: python3 deploy/cluster down --force"
        )


def _packages(*, install: bool, builders: bool) -> None:
    absent = missing_packages(builders=builders)
    if absent and install:
        _install(absent)
        absent = missing_packages(builders=builders)
    if absent:
        raise ClusterError(
            f"Debian packages are missing; run: apt-get install -y {' '.join(absent)} (or pass "
            "--install-packages)"
        )


def _install(packages: list[str]) -> None:
    commands.run("apt-get", "update", "-qq")
    commands.run(
        *("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages),
        environment={"DEBIAN_FRONTEND": "noninteractive"},
    )
