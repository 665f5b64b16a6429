"""One run on several processes of this machine, a process a device; alone or with other machines.

torchrun would do, but for its exit codes: a platform must see 75 when the run was checkpointed and
77 when memory ran out, so this launcher starts the same processes with the same variables and
passes signals down and codes up.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType

from slipway_training.environment import Group

_POLL_SECONDS = 0.1
# After one process failed the others cannot go on: their collectives would wait forever.
_GRACE_SECONDS = 60.0
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """Where all processes of the run meet, and how many each machine brings."""

    group: Group
    processes: int

    def place(self, local: int) -> dict[str, str]:
        """torch's variables for one process of this machine."""
        return {
            "RANK": str(self.group.node * self.processes + local),
            "LOCAL_RANK": str(local),
            "WORLD_SIZE": str(self.group.nodes * self.processes),
            "LOCAL_WORLD_SIZE": str(self.processes),
            "MASTER_ADDR": self.group.address or LOOPBACK,
            "MASTER_PORT": str(self.group.port),
        }


def meeting(group: Group, processes: int) -> Meeting:
    """Alone on this machine any free port will do; several machines must know it beforehand."""
    if group.nodes == 1:
        group = Group(address=LOOPBACK, port=_free_port())
    return Meeting(group=group, processes=processes)


def launch(arguments: Sequence[str], place: Meeting) -> int:
    """Run ``slipway_training`` with ``arguments`` in each process of this machine; exit code."""
    command = [sys.executable, "-m", "slipway_training", *arguments]
    started = [
        subprocess.Popen(command, env={**os.environ, **place.place(local)})
        for local in range(place.processes)
    ]

    def pass_on(number: int, frame: FrameType | None) -> None:
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    deadline: float | None = None
    while any(process.poll() is None for process in started):
        if deadline is None and any(process.returncode for process in started):
            deadline = time.monotonic() + _GRACE_SECONDS
            pass_on(signal.SIGTERM, None)
        if deadline is not None and time.monotonic() > deadline:
            for process in started:
                process.kill()
        time.sleep(_POLL_SECONDS)
    return exit_code([process.returncode for process in started])


def exit_code(codes: Sequence[int]) -> int:
    """The first process's code if it failed on its own, else the first other failure, else 0.

    A process that a signal ended counts last: it was most likely stopped because another failed.
    """
    failed = [code for code in codes if code != 0]
    return next((code for code in failed if code > 0), 1 if failed else 0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
