"""Small training runs for tests: a micro model on a page of text, seconds on one core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from slipway_contracts.run import ImportRun, RunResult, TrainRun
from slipway_training.run import execute
from slipway_training.stop import StopFlag


def a_training(**changes):
    """A Training section: 12 steps of a micro model."""
    return {
        "architecture": "micro-llama",
        "data": {"sources": ["bundled:devil"], "maxCharacters": 60_000, "blockSize": 32},
        "tokenizer": {"vocabSize": 400},
        "maxSteps": 12,
        "batchSize": 8,
        "learningRate": 0.002,
        "evalEverySteps": 4,
        "checkpointEverySteps": 4,
    } | changes


def a_train_run(folder: Path, *, base=None, **changes) -> TrainRun:
    """A TrainRun into ``folder``; ``base`` is an ArtifactRef for method full or lora."""
    if base is not None:
        changes["base"] = {"uri": base.uri}
    return TrainRun.model_validate(
        {
            "version": "v1",
            "artifactDir": str(folder / "artifact"),
            "training": a_training(**changes),
            "base": base.wire() if base is not None else None,
        }
    )


def an_import(folder: Path, **source) -> ImportRun:
    """An ImportRun into ``folder``."""
    return ImportRun.model_validate(
        {"version": "v1", "artifactDir": str(folder / "artifact"), **source}
    )


def carry_out(spec, folder: Path, *, dry_run: bool = False) -> RunResult:
    """Execute ``spec`` in this process, in ``folder/work``."""
    return execute(spec, folder / "work", StopFlag(), dry_run=dry_run)


def start(spec, folder: Path, *more: str, environment=None) -> subprocess.Popen:
    """Execute ``spec`` in a process of its own, in ``folder/work``, logging to ``folder/log``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spec.json").write_text(json.dumps(spec.wire()))
    command = [sys.executable, "-m", "slipway_training", "run"]
    paths = ["--spec", str(folder / "spec.json"), "--work", str(folder / "work")]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [*command, *paths, *more],
            stdout=log,
            stderr=log,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
        )


def progress_of(folder: Path) -> list[dict]:
    """The progress lines that are whole."""
    path = folder / "work" / "progress.jsonl"
    if not path.exists():
        return []
    lines = path.read_text().split("\n")[:-1]
    return [json.loads(line) for line in lines if line]
