"""The parts of the gateway's benchmark, each a process of its own whose last JSON line is its find.

A part that fails, hangs or is killed leaves the others alone, and says why it has no figures. It is
asked to end with SIGINT, so that it stops the servers that it started; where that does not help,
everything in its session is killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.gateway import PEERS
from benchmarks.systems import COMPILED, ROOT

TO_STOP = 60
SAID_LINES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """``tiny`` is added to see that it runs, where the figures mean nothing."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    tiny: tuple[str, ...]
    seconds: float
    # Ours is run within the part's own process: as in its image, where that could be compiled.
    compiled: bool = False

    def command(self, *, rounds: int | None, tiny: bool) -> list[str]:
        """Its command line."""
        words = [sys.executable, "-m", f"benchmarks.{self.module}", *self.arguments]
        if tiny:
            words += self.tiny
        if rounds is not None and self.module != "scrape":
            words += ["--rounds", str(rounds)]
        return words


PARTS = (
    Part(
        name="relay",
        module="gateway",
        arguments=("--peers", *(peer for peer in PEERS if peer != "litellm")),
        tiny=("--rounds", "2", "--requests", "200", "--streams", "20"),
        seconds=900,
    ),
    Part(
        name="litellm",
        module="gateway",
        arguments=("--peers", "litellm"),
        tiny=("--rounds", "2", "--requests", "200", "--streams", "60"),
        seconds=1500,
    ),
    Part(
        name="latency",
        module="gateway_load",
        tiny=("--rounds", "2", "--seconds", "1"),
        seconds=300,
    ),
    Part(
        name="overload", module="overload", tiny=("--rounds", "1", "--seconds", "5"), seconds=1200
    ),
    Part(
        name="memory",
        module="gateway_memory",
        tiny=("--rounds", "1", "--streams", "500"),
        seconds=300,
    ),
    Part(
        name="log",
        module="gateway_log",
        tiny=("--rounds", "2", "--rows", "4000"),
        seconds=300,
        compiled=True,
    ),
    Part(name="queue", module="queue", tiny=("--rounds", "2", "--jobs", "400"), seconds=600),
    Part(
        name="scrape",
        module="scrape",
        tiny=("--models", "10", "--keys", "50", "--scrapes", "10"),
        seconds=300,
    ),
)


def run(part: Part, command: list[str], say: Callable[[str], None]) -> dict[str, Any]:
    """What the part found, or ``failed`` and why; with its seconds and the machine's load."""
    env = dict(os.environ)
    if part.compiled and COMPILED.is_file():
        env["PYTHONPATH"] = str(COMPILED.parent)
    load, began = os.getloadavg()[0], time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=_hear_interrupts,
    )
    timer = threading.Timer(part.seconds, _end, (process,))
    timer.start()
    try:
        said = _listen(process, say)
        status = process.wait()
    except BaseException:
        _end(process)
        raise
    finally:
        timer.cancel()
    took = time.monotonic() - began
    found = _last_object(said)
    if found is None:
        why = f"no answer within {part.seconds:g} s" if took >= part.seconds else f"status {status}"
        found = {"failed": "; ".join([why, *said[-1:]]), "said": said[-SAID_LINES:]}
    return found | {"took_seconds": round(took), "load_before": round(load, 2)}


def _hear_interrupts() -> None:
    """A shell lets what it starts in the background ignore them, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _listen(process: subprocess.Popen[str], say: Callable[[str], None]) -> list[str]:
    assert process.stdout is not None
    said = []
    with process.stdout as lines:
        for line in lines:
            said.append(line.rstrip())
            if not line.startswith("{"):
                say(line.rstrip())
    return said


def _last_object(said: list[str]) -> dict[str, Any] | None:
    for line in reversed(said):
        if line.startswith("{"):
            try:
                return dict(json.loads(line))
            except ValueError:
                continue
    return None


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(TO_STOP)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
