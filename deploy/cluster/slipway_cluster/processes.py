"""Processes with a log and a pid file: started detached, found again later, stopped and awaited.

A pid file holds the pid and the process's start time, so that a recycled pid is never taken for
ours.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import ProcessError


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of a cluster whose state is in ``home``."""

    home: Path
    name: str

    @property
    def log(self) -> Path:
        return self.home / "log" / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        return self.home / f"{self.name}.pid"

    def start(
        self, argv: Sequence[str | Path], *, environment: Mapping[str, str] | None = None
    ) -> int:
        """Start it in a session of its own; its output is appended to the log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            started = subprocess.Popen(
                list(map(str, argv)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                env=None if environment is None else {**os.environ, **environment},
                start_new_session=True,
            )
        _CHILDREN[started.pid] = started
        self.pid_file.write_text(f"{started.pid} {start_time(started.pid)}\n", "utf-8")
        return started.pid

    def pid(self) -> int | None:
        """The pid while it runs."""
        try:
            pid, started = self.pid_file.read_text("utf-8").split()
        except (FileNotFoundError, ValueError):
            return None
        reap(int(pid))
        # 0: it had ended before its start could be noted.
        return int(pid) if int(started) and start_time(int(pid)) == int(started) else None

    def stop(self, *, patience: float = 15.0) -> None:
        """SIGTERM, then SIGKILL after ``patience`` seconds; returns when it is gone."""
        pid = self.pid()
        if pid is not None:
            _signal(pid, signal.SIGTERM)
            if not wait_until(lambda: self.pid() is None, seconds=patience):
                _signal(pid, signal.SIGKILL)
                wait_until(lambda: self.pid() is None, seconds=10)
        self.pid_file.unlink(missing_ok=True)

    def tail(self, lines: int = 12) -> str:
        """The log's end."""
        try:
            text = self.log.read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def await_ready(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Wait until ``ready``; ProcessError when it ends first or the time is up."""
        wait_until(lambda: self.pid() is None or ready(), seconds=seconds)
        if self.pid() is None:
            raise ProcessError(f"{self.name} ended early; its log {self.log} ends:\n{self.tail()}")
        if not ready():
            raise ProcessError(
                f"{self.name} was not ready in {seconds:.0f} s; its log {self.log} ends:\n"
                + self.tail()
            )


# Children of this very process must be waited for, or they stay as zombies with a valid pid.
_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


def reap(pid: int) -> None:
    """Collect a child of ours that ended."""
    child = _CHILDREN.get(pid)
    if child is not None and child.poll() is not None:
        del _CHILDREN[pid]


def start_time(pid: int) -> int:
    """Clock ticks after boot at which the process started; 0 where there is none (or a zombie)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    fields = text.rpartition(")")[2].split()
    return 0 if fields[0] == "Z" else int(fields[19])


def wait_until(condition: Callable[[], bool], *, seconds: float, every: float = 0.1) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


class Leash:
    """Kills the given processes when the process that holds it dies, however it dies.

    A shell waits on a pipe whose other end only the holder has; end of file means the holder is
    gone. For short-lived clusters of tests, whose runner may be killed.
    """

    def __init__(self, pids: Sequence[int]) -> None:
        script = 'read -r _; kill -9 "$@" 2>/dev/null'
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", script, "leash", *map(str, pids)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def release(self) -> None:
        """Let go without killing anything."""
        self._shell.kill()
        self._shell.communicate()
