"""One run of any verb on one WORK folder: locked, resumable, with its result stored atomically.

A finished run started again returns its stored result. A killed run started again goes on. Two
processes never work on one WORK.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TextIO

from pydantic import TypeAdapter, ValidationError

from slipway_contracts.artifact import MANIFEST_NAME, Manifest
from slipway_contracts.run import (
    RESULT_FILE,
    EvaluateRun,
    ImportRun,
    RunResult,
    RunSpec,
    TrainRun,
)
from slipway_training import checkpoints
from slipway_training.artifacts import FETCHED, reference
from slipway_training.environment import read_environment
from slipway_training.errors import ConfigInvalid, Interrupted, TrainingFailure, describe
from slipway_training.files import write_atomically
from slipway_training.lineage import config_digest
from slipway_training.loop import TRAINED
from slipway_training.memory import naming_the_remedy
from slipway_training.progress import ProgressLog
from slipway_training.shipping import discard, reserve, ship, shipped
from slipway_training.stop import StopFlag

_IDENTITY = "run.json"


def parse_spec(text: str | bytes) -> TrainRun | ImportRun | EvaluateRun:
    """A RunSpec; ConfigInvalid names every wrong field."""
    try:
        spec: TrainRun | ImportRun | EvaluateRun = TypeAdapter(RunSpec).validate_json(text)
    except ValidationError as error:
        raise ConfigInvalid(f"the run spec is not valid:\n{describe(error)}") from error
    return spec


def execute(
    spec: TrainRun | ImportRun | EvaluateRun,
    work: Path,
    stop: StopFlag,
    *,
    dry_run: bool = False,
    report: TextIO | None = None,
) -> RunResult:
    """Carry out ``spec`` in ``work`` and store ``result.json``; a failure is stored and raised.

    ``report``: where progress is told as it happens.
    """
    work.mkdir(parents=True, exist_ok=True)
    dispatch = partial(_dispatch, spec, work, stop, dry_run=dry_run, report=report)
    if not read_environment().is_first:
        # The first process of the group holds the lock and stores the result for all.
        return stored_result(work) or _published(spec) or dispatch()
    with _only_process(work):
        if dry_run:
            return dispatch()
        _claim(spec, work)
        with _failure_stored(work):
            finished = stored_result(work) or _published(spec)
            if finished is None:
                reserve(spec)
                finished = dispatch()
            finished = ship(spec, finished, stop)
        _store(work, finished)
        _tidy(work)
        discard(spec)
    return finished


@contextmanager
def _failure_stored(work: Path) -> Iterator[None]:
    try:
        yield
    except Interrupted:
        raise
    except TrainingFailure as error:
        _store(work, RunResult(error=str(error)))
        raise


def stored_result(work: Path) -> RunResult | None:
    """The result of a run that succeeded in ``work`` before."""
    path = work / RESULT_FILE
    if not path.exists():
        return None
    result = RunResult.model_validate_json(path.read_bytes())
    return None if result.error else result


def _dispatch(
    spec: TrainRun | ImportRun | EvaluateRun,
    work: Path,
    stop: StopFlag,
    *,
    dry_run: bool,
    report: TextIO | None,
) -> RunResult:
    # Each verb is imported when it is asked for: torch takes seconds.
    with naming_the_remedy():
        match spec:
            case TrainRun():
                from slipway_training.recipes.text import train

                return train(
                    spec, work, stop, log=ProgressLog(work, report=report), dry_run=dry_run
                )
            case EvaluateRun():
                from slipway_training.evaluate import evaluate

                return evaluate(spec, stop, cache=work / FETCHED)
            case ImportRun():
                from slipway_training.import_ import import_

                return import_(spec, work)


def _published(spec: TrainRun | ImportRun | EvaluateRun) -> RunResult | None:
    """The result of a run that was killed between publishing and storing its result."""
    if isinstance(spec, EvaluateRun):
        return None
    folder = Path(spec.artifact_dir)
    if not (folder / MANIFEST_NAME).exists():
        return shipped(spec)
    manifest = Manifest.model_validate_json((folder / MANIFEST_NAME).read_bytes())
    return RunResult(artifact=reference(folder), lineage=manifest.lineage, metrics=manifest.metrics)


def _claim(spec: TrainRun | ImportRun | EvaluateRun, work: Path) -> None:
    identity = work / _IDENTITY
    digest = config_digest(spec)
    if not identity.exists():
        write_atomically(identity, json.dumps({"spec": digest}).encode())
        return
    if json.loads(identity.read_bytes())["spec"] == digest:
        return
    if not isinstance(spec, EvaluateRun):
        raise ConfigInvalid(f"{work} belongs to a run of another spec; use a new folder")
    # An evaluation leaves nothing but its report, and endpoints may move: measure again.
    (work / RESULT_FILE).unlink(missing_ok=True)
    write_atomically(identity, json.dumps({"spec": digest}).encode())


def _store(work: Path, result: RunResult) -> None:
    write_atomically(work / RESULT_FILE, json.dumps(result.wire(), indent=1).encode())


def _tidy(work: Path) -> None:
    """What only a resume needs goes once the result is stored: optimizer states are large."""
    for name in (checkpoints.FOLDER, TRAINED, "staged", "download", FETCHED):
        shutil.rmtree(work / name, ignore_errors=True)


@contextmanager
def _only_process(work: Path) -> Iterator[None]:
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Interrupted(f"another process works on {work}; try again when it ended") from None
        yield
