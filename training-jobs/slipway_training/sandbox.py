"""Untrusted model files are read in a process of their own, with little to lose.

The child has no keys in its environment, an empty HOME, no network where the kernel lets it drop
it, and limits on CPU time, memory and file size that it sets before it opens anything. What it
leaves is checked again by the parent before it becomes an artifact.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from slipway_contracts.base import Spec
from slipway_training.environment import scrubbed
from slipway_training.errors import OutOfMemory, SourceRefused

WALL_SECONDS = 1800.0
CPU_SECONDS = 900


class Job(Spec):
    """What the child shall do: paths are absolute, ``target`` is an empty folder to fill."""

    kind: Literal["checkpoint", "folder", "adapter"]
    source: str
    target: str
    base: str | None = None
    cpu_seconds: int = CPU_SECONDS
    memory_bytes: int


class Outcome(Spec):
    """What the child found: an architecture's name, or why it refused."""

    architecture: str = ""
    refused: str = ""


def convert(job: Job) -> str:
    """Run ``job`` in the sandbox; the architecture's name, or SourceRefused with the reason."""
    with tempfile.TemporaryDirectory(prefix="slipway-import-") as home:
        order, answer = Path(home, "job.json"), Path(home, "outcome.json")
        order.write_text(json.dumps(job.wire()), encoding="utf-8")
        command = [sys.executable, "-m", "slipway_training.convert", str(order), str(answer)]
        try:
            done = subprocess.run(
                command,
                cwd=home,
                env=scrubbed(home),
                timeout=WALL_SECONDS,
                capture_output=True,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise SourceRefused(f"{job.source} was not read in {WALL_SECONDS:.0f} s") from error
        if done.returncode == 0 and answer.exists():
            outcome = Outcome.model_validate_json(answer.read_bytes())
            if outcome.refused:
                raise SourceRefused(outcome.refused)
            return outcome.architecture
    tail = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    detail = f"reading {job.source} ended with exit code {done.returncode}: {' '.join(tail)}"
    if "MemoryError" in detail or "allocate memory" in detail:
        raise OutOfMemory(f"{detail}; the import may use {job.memory_bytes >> 20} MiB")
    raise SourceRefused(detail)
