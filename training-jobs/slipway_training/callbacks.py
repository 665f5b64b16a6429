"""What hangs on the Trainer's loop: progress lines, stop on signal, wall clock, seals, NaN watch.

Imported only when a training starts: transformers takes seconds to import.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch
from transformers import EarlyStoppingCallback, TrainerCallback
from transformers.trainer_callback import ExportableState

from slipway_contracts.training import Training
from slipway_training import checkpoints
from slipway_training.errors import Diverged
from slipway_training.progress import ProgressLog
from slipway_training.stop import StopFlag


class ProgressLines(TrainerCallback):  # type: ignore[misc]
    """Loss, speed and remaining time, from the Trainer's own log events."""

    def __init__(self, log: ProgressLog, *, tokens_per_step: int) -> None:
        self._log = log
        self._tokens_per_step = tokens_per_step
        self._began, self._first_step = time.monotonic(), 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._began, self._first_step = time.monotonic(), state.global_step
        self._write("start", state)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if logs and "loss" in logs:
            if not math.isfinite(logs["loss"]):
                raise Diverged(
                    f"the loss is {logs['loss']} at step {state.global_step}; lower "
                    "training.learningRate, raise warmupSteps, or lower maxGradNorm"
                )
            self._write("step", state, loss=logs["loss"])

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any, **_: Any) -> None:
        self._write("evaluation", state, eval_loss=metrics.get("eval_loss"))

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._write("checkpoint", state)

    def _write(self, event: Any, state: Any, **figures: float | None) -> None:
        if not state.is_world_process_zero:
            return
        done = state.global_step - self._first_step
        seconds = time.monotonic() - self._began
        rate = done / seconds if done else None
        self._log.write(
            event,
            step=state.global_step,
            max_steps=state.max_steps,
            tokens_per_second=rate and rate * self._tokens_per_step,
            eta_seconds=rate and (state.max_steps - state.global_step) / rate,
            **figures,
        )


class SealCheckpoints(TrainerCallback):  # type: ignore[misc]
    """Marks each checkpoint complete once the Trainer has written all of it."""

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            checkpoints.seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")


class StopOnSignal(TrainerCallback):  # type: ignore[misc]
    """Checkpoint and stop at the end of the step in which the signal came, on every process."""

    def __init__(self, stop: StopFlag) -> None:
        self._stop = stop

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        self._stop.wanted = _any_process(self._stop.wanted, args.device)
        if self._stop.wanted:
            control.should_save = True
            control.should_evaluate = False
            control.should_training_stop = True
        return control


class WallClock(TrainerCallback, ExportableState):  # type: ignore[misc]
    """Ends the training in good order after so many seconds, resumed time included."""

    def __init__(self, limit: float, spent: float = 0.0) -> None:
        self.limit, self.spent, self.reached = limit, spent, False
        self._last = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._last = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        now = time.monotonic()
        self.spent, self._last = self.spent + now - self._last, now
        if _any_process(self.spent >= self.limit, args.device):
            self.reached = True
            control.should_training_stop = True
        return control

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of this callback."""
        return {"args": {"limit": self.limit, "spent": self.spent}, "attributes": {}}


def _any_process(wanted: bool, device: Any) -> bool:
    """True when one process of the group says so: all must stop at the same step."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return wanted
    flag = torch.tensor(int(wanted), device=device)
    torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
    return bool(flag.item())


def training_callbacks(
    training: Training, log: ProgressLog, stop: StopFlag, *, tokens_per_step: int
) -> list[Any]:
    """The callbacks of a run, in the order in which they must be asked."""
    chosen: list[Any] = [ProgressLines(log, tokens_per_step=tokens_per_step), SealCheckpoints()]
    if training.early_stopping:
        early = training.early_stopping
        chosen.append(EarlyStoppingCallback(early.patience, early.min_delta))
    if training.wall_clock_limit is not None:
        chosen.append(WallClock(training.wall_clock_limit.total_seconds()))
    return [*chosen, StopOnSignal(stop)]
