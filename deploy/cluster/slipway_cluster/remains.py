"""What a cluster's containers can leave on the machine, and its removal.

Needed where containerd died before its containers, and always for the control groups. Called only
for a cluster of ours: ``kubepods`` is what every kubelet calls its control group.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from . import commands
from .processes import wait_until

GROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")
POD_LOG_LINKS = Path("/var/log/containers")
DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")


def clear(folders: Sequence[Path], *, socket: Path) -> None:
    """Kill shims and containers, unmount what is under the folders, remove control groups."""
    for pid in {*shims(socket), *contained()}:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not shims(socket) and not contained(), seconds=20)
    for point in mounts(folders):
        commands.tried("umount", point)
    for group in _groups():
        for folder, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()
    _forget(folders)


def found(folders: Sequence[Path], *, socket: Path) -> list[str]:
    """What is still there, a line each."""
    return [
        *(f"process {pid} (containerd-shim)" for pid in shims(socket)),
        *(f"process {pid} of a pod" for pid in contained()),
        *(f"mount {point}" for point in mounts(folders)),
        *(f"control group {group}" for group in _groups()),
    ]


def shims(socket: Path) -> list[int]:
    """Processes that watch containers of this containerd."""
    return [
        int(entry.name)
        for entry in PROC.iterdir()
        if entry.name.isdigit() and _is_shim(_command(entry), str(socket))
    ]


def contained() -> list[int]:
    """Processes of pods."""
    pids: set[int] = set()
    for group in _groups():
        for folder, _, _ in os.walk(group):
            with suppress(OSError):
                pids.update(map(int, Path(folder, "cgroup.procs").read_text("utf-8").split()))
    return sorted(pids)


def mounts(folders: Sequence[Path], table: str | None = None) -> list[str]:
    """Mount points under the folders, the deepest first."""
    text = (PROC / "mounts").read_text("utf-8") if table is None else table
    points = [unescaped(line.split()[1]) for line in text.splitlines()]
    ours = [point for point in points if any(Path(point).is_relative_to(at) for at in folders)]
    return sorted(ours, key=lambda point: (-point.count("/"), point))


def unescaped(point: str) -> str:
    """/proc/mounts writes a space as \\040."""
    for code, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, letter)
    return point


def _is_shim(command: list[str], socket: str) -> bool:
    return bool(command) and "containerd-shim" in command[0] and socket in command


def _command(entry: Path) -> list[str]:
    try:
        return (entry / "cmdline").read_text("utf-8", "replace").split("\0")
    except OSError:
        return []


def _forget(folders: Sequence[Path]) -> None:
    """What the kubelet writes outside its root whatever it is told."""
    for link in POD_LOG_LINKS.glob("*.log"):
        if link.is_symlink() and any(link.readlink().is_relative_to(at) for at in folders):
            link.unlink()
    (DEVICE_PLUGINS / "kubelet.sock").unlink(missing_ok=True)
    for folder in (POD_LOG_LINKS, DEVICE_PLUGINS, DEVICE_PLUGINS.parent):
        with suppress(OSError):
            folder.rmdir()  # if empty


def _groups() -> list[Path]:
    # One a controller with cgroup v1, one in all with v2.
    return [*GROUPS.glob("kubepods"), *GROUPS.glob("*/kubepods")]
