"""Runs as supervised subprocesses: a folder a run, whose files are the whole state.

``runs/<model>/<name>/`` holds spec.json, log, progress.jsonl, checkpoints, exit.json, result.json
and the lock that says whether it lives. Nothing is kept in memory, so a controller that was killed
reads the same state and starts nothing twice.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from slipway_contracts.conditions import Reason
from slipway_contracts.run import PROGRESS_FILE, RESULT_FILE, RunResult
from slipway_contracts.training import (
    EXIT_CHECKPOINTED,
    EXIT_INVALID,
    EXIT_OUT_OF_MEMORY,
)
from slipway_operator.core.decision import DesiredRun
from slipway_operator.core.snapshot import RunObservation, RunState
from slipway_operator.platforms.local import launcher
from slipway_operator.platforms.progress_lines import milestones, progress_lines
from slipway_operator.platforms.run_spec import run_spec

RESTARTS_FILE = "restarts.json"
SPEC_FILE = "spec.json"
STOP_GRACE_SECONDS = 30.0
TAIL_BYTES = 16_384
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Where runs live and what they may use."""

    home: Path
    max_runs: int = 2
    threads: int = 1
    niceness: int = 15
    python: str = sys.executable


@dataclass(frozen=True, slots=True)
class Restarts:
    """How often a run was started again, of how many times it may be. A checkpoint costs none."""

    done: int = 0
    limit: int = 0

    @property
    def left(self) -> bool:
        return self.done < self.limit


@dataclass(slots=True)
class LocalRuns:
    """The ``Runs`` port on one machine. ``command`` builds the argv from (spec, work folder)."""

    settings: RunSettings
    command: Callable[[Path, Path], list[str]] | None = None
    _stopping: dict[Path, float] = field(default_factory=dict)

    async def observe(self, model: str) -> Mapping[str, RunObservation]:
        return await asyncio.to_thread(self._observe, model)

    async def apply(self, model: str, desired: Sequence[DesiredRun]) -> None:
        await asyncio.to_thread(self._apply, model, desired)

    def _observe(self, model: str) -> Mapping[str, RunObservation]:
        folder = self._model_dir(model)
        return {path.name: observe_run(path) for path in _run_dirs(folder)}

    def _apply(self, model: str, desired: Sequence[DesiredRun]) -> None:
        wanted = {run.name: run for run in desired}
        for path in _run_dirs(self._model_dir(model)):
            if path.name not in wanted and launcher.is_held(path):
                self._stop(path)
        for run in desired:
            path = self._model_dir(model) / run.name
            if self._may_start(path, run):
                self._start(path, run)

    def _may_start(self, path: Path, run: DesiredRun) -> bool:
        if launcher.is_held(path) or self._running() >= self.settings.max_runs:
            return False
        if not (path / SPEC_FILE).exists():
            return True
        return observe_run(path).state is RunState.LOST

    def _start(self, path: Path, run: DesiredRun) -> None:
        self._stopping.pop(path, None)
        again = (path / SPEC_FILE).exists()
        path.mkdir(parents=True, exist_ok=True)
        if again:
            seen = observe_run(path)
            counted = 0 if seen.exit_code == EXIT_CHECKPOINTED else 1
            counts = Restarts(done=seen.restarts + counted, limit=run.backoff_limit)
        else:
            counts = Restarts(limit=run.backoff_limit)
        launcher.write_json(path / RESTARTS_FILE, asdict(counts))
        if not again:
            spec = run_spec(run, self.settings.home, model=path.parent.name)
            launcher.write_json(path / SPEC_FILE, spec.wire())
        argv = (self.command or self._training_command)(path / SPEC_FILE, path)
        subprocess.run(
            [self.settings.python, "-m", launcher.__name__, str(path), "--", *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environment(),
            check=True,
        )

    def _training_command(self, spec: Path, work: Path) -> list[str]:
        python = self.settings.python
        base = [python, "-m", "slipway_training", "run", "--spec", str(spec), "--work", str(work)]
        nice = shutil.which("nice")
        return [nice, "-n", str(self.settings.niceness), *base] if nice else base

    def _environment(self) -> dict[str, str]:
        threads = str(self.settings.threads)
        return os.environ | {
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"),
        }

    def _running(self) -> int:
        models = self.settings.home / "runs"
        folders = models.iterdir() if models.exists() else ()
        return sum(launcher.is_held(path) for model in folders for path in _run_dirs(model))

    def _stop(self, path: Path) -> None:
        """SIGTERM the group, and SIGKILL it when the grace has passed."""
        now = time.monotonic()
        first = self._stopping.setdefault(path, now)
        sent = signal.SIGKILL if now - first > STOP_GRACE_SECONDS else signal.SIGTERM
        if sent is signal.SIGTERM and first != now:
            return
        _signal_group(path, sent)

    def _model_dir(self, model: str) -> Path:
        return self.settings.home / "runs" / model


def observe_run(path: Path) -> RunObservation:
    """One run's folder → what its platform knows. Half-written files read as absent."""
    # First: the exit code is written before the lock goes, so what is not held has it.
    held = launcher.is_held(path)
    result = _parse(RunResult, _read_json(path / RESULT_FILE))
    exited = _read_json(path / launcher.EXIT_FILE)
    code = exited.get("code") if isinstance(exited, dict) else None
    restarts = Restarts(**(_read_json(path / RESTARTS_FILE) or {}))
    if held:
        state = RunState.RUNNING
    elif result is not None and not result.error and code in (0, None):
        state, code = RunState.SUCCEEDED, 0
    elif code == EXIT_CHECKPOINTED or (restarts.left and code != EXIT_INVALID):
        state = RunState.LOST
    else:
        state = RunState.FAILED
    failed = state in (RunState.FAILED, RunState.LOST)
    lines = progress_lines(_tail(path / PROGRESS_FILE).splitlines())
    return RunObservation(
        name=path.name,
        state=state,
        exit_code=code,
        reason=_reason(code) if failed else None,
        message=_failure_message(path, result, code) if failed else "",
        restarts=restarts.done,
        progress=lines[-1] if lines else None,
        milestones=milestones(lines),
        result=result,
    )


def _reason(code: int | None) -> Reason | None:
    if code in (EXIT_OUT_OF_MEMORY, -signal.SIGKILL):
        return Reason.OOM_KILLED
    return Reason.INVALID if code == EXIT_INVALID else None


def _failure_message(path: Path, result: RunResult | None, code: int | None) -> str:
    if result is not None and result.error:
        return result.error
    lines = [line for line in _tail(path / launcher.LOG_FILE).splitlines() if line.strip()]
    last = lines[-1].strip()[:500] if lines else "the log is empty"
    ended = "was killed" if code is None else f"ended with exit code {code}"
    return f"the run {ended}: {last}"


def _parse(kind: type[RunResult], body: Any) -> RunResult | None:
    try:
        return None if body is None else kind.model_validate(body)
    except ValidationError:
        return None


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def _run_dirs(folder: Path) -> list[Path]:
    if not folder.exists():
        return []
    return sorted(path for path in folder.iterdir() if (path / SPEC_FILE).exists())


def stop_all(home: Path, grace: float = STOP_GRACE_SECONDS) -> None:
    """SIGTERM every living run, wait for its checkpoint, SIGKILL what is left after ``grace``."""
    models = home / "runs"
    living = [
        path
        for model in (models.iterdir() if models.exists() else ())
        for path in _run_dirs(model)
        if launcher.is_held(path)
    ]
    for path in living:
        _signal_group(path, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while any(launcher.is_held(path) for path in living) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for path in living:
        if launcher.is_held(path):
            _signal_group(path, signal.SIGKILL)


def _signal_group(path: Path, number: signal.Signals) -> None:
    body = _read_json(path / launcher.PROCESS_FILE)
    if isinstance(body, dict) and launcher.is_held(path):
        try:
            os.killpg(int(body["pgid"]), number)
        except ProcessLookupError:
            return
