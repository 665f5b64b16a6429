"""One supervised process: started in its own session, found again after the supervisor was killed.

A process is known by (pid, start time), so a reused pid is never taken for ours.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPlan:
    """What to run, with what is added to the environment."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRecord:
    """What is written to ``processes.json``."""

    name: str
    pid: int
    started: float

    def living(self) -> psutil.Process | None:
        """The process, unless it ended or its pid is somebody else's now."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < 1.0
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


def start(plan: ProcessPlan) -> ProcessRecord:
    """Start detached; its output goes to the plan's log."""
    plan.log.parent.mkdir(parents=True, exist_ok=True)
    with plan.log.open("ab") as log:
        process = subprocess.Popen(
            list(plan.argv),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | dict(plan.env),
        )
    return ProcessRecord(
        name=plan.name, pid=process.pid, started=psutil.Process(process.pid).create_time()
    )


def this_process(name: str) -> ProcessRecord:
    """The record of the process that asks."""
    own = psutil.Process()
    return ProcessRecord(name=name, pid=own.pid, started=own.create_time())


def stop(record: ProcessRecord, grace: float) -> None:
    """SIGTERM the process, then SIGKILL whatever is left of its tree."""
    process = record.living()
    if process is None:
        return
    tree = [process, *process.children(recursive=True)]
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGTERM)
    psutil.wait_procs([process], timeout=grace)
    for left in tree:
        with suppress(psutil.NoSuchProcess):
            left.kill()
    psutil.wait_procs(tree, timeout=5)


def reap() -> None:
    """Collect ended children, so that a dead one reads as dead and not as a zombie."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue


def read_records(path: Path) -> dict[str, ProcessRecord]:
    """The records of the last supervisor; empty when there was none."""
    try:
        return {name: ProcessRecord(**body) for name, body in json.loads(path.read_text()).items()}
    except FileNotFoundError:
        return {}


def write_records(path: Path, records: Mapping[str, ProcessRecord]) -> None:
    """Whole or not at all."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps({name: asdict(r) for name, r in records.items()}, indent=1))
    temporary.replace(path)
