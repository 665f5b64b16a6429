"""What stands between the controller and a run: ``python -m … RUN_DIR -- COMMAND``.

It detaches and outlives the controller: own session, own log. The run's life is a file lock that
the launcher and the command share, so it is held as long as either lives, whoever else was killed;
a second launcher on the same folder finds it held and leaves. It returns once the lock is held, and
the exit code is written when the command ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

LOCK_FILE = "launcher.lock"
LOG_FILE = "log"
PROCESS_FILE = "process.json"
EXIT_FILE = "exit.json"


def write_json(path: Path, body: object) -> None:
    """Write whole or not at all."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(body))
    temporary.replace(path)


def is_held(run_dir: Path) -> bool:
    """Whether a launcher or its command still lives."""
    try:
        with (run_dir / LOCK_FILE).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def launch(run_dir: Path, command: list[str]) -> None:
    """Take the lock, then detach and run ``command`` to its end. No-op where the lock is held."""
    lock = (run_dir / LOCK_FILE).open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    (run_dir / EXIT_FILE).unlink(missing_ok=True)
    if os.fork():
        return
    os.setsid()
    _supervise(run_dir, command, lock.fileno())
    # The caller's exit handlers are not this child's to run.
    os._exit(0)


def _supervise(run_dir: Path, command: list[str], lock: int) -> None:
    # SIGTERM goes to the whole group: the command checkpoints, the launcher waits for it.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with (run_dir / LOG_FILE).open("ab") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(lock,),
            preexec_fn=_restore_sigterm,
        )
        write_json(run_dir / PROCESS_FILE, {"pgid": os.getpgrp(), "pid": child.pid})
        code = child.wait()
    write_json(run_dir / EXIT_FILE, {"code": code})


def _restore_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


if __name__ == "__main__":
    folder, separator, *argv = sys.argv[1:]
    if separator != "--" or not argv:
        sys.exit("usage: launcher RUN_DIR -- COMMAND [ARG ...]")
    launch(Path(folder), argv)
