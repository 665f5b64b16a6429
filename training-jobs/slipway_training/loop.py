"""The Trainer's loop that every recipe shares: resume, train, store the end in ``WORK/trained``.

It knows no task: a recipe gives it a model, two data sets and how many tokens (or images) a step
is. What it leaves is found again by a run that was killed afterwards.
"""

from __future__ import annotations

import gc
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway_contracts.training import Training
from slipway_training import checkpoints
from slipway_training.arguments import steps_of, trainer_arguments
from slipway_training.environment import read_environment
from slipway_training.errors import ConfigInvalid
from slipway_training.files import build_folder, write_atomically
from slipway_training.hushed import hush
from slipway_training.memory import naming_the_remedy
from slipway_training.progress import ProgressLog
from slipway_training.stop import StopFlag

TRAINED = "trained"
_FIGURES = "figures.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What is trained: the sets hold one sample an index, ``units`` counts tokens a sample."""

    model: Any
    train_set: Any
    eval_set: Any
    units: int
    batch_size: int


def run_loop(
    training: Training,
    work: Path,
    stop: StopFlag,
    *,
    material: Material,
    log: ProgressLog,
    dry_run: bool = False,
) -> dict[str, float]:
    """Train to the end and return the run's figures. Raises Interrupted on a signal."""
    if training.early_stopping and len(material.eval_set) == 0:
        raise ConfigInvalid("training.data holds nothing out to stop early on; raise evalFraction")
    figures = _looped(training, work, stop, material=material, log=log, dry_run=dry_run)
    _leave_group()
    return figures


def _looped(
    training: Training,
    work: Path,
    stop: StopFlag,
    *,
    material: Material,
    log: ProgressLog,
    dry_run: bool,
) -> dict[str, float]:
    """The Trainer lives and dies in here, so that the group can be left after it."""
    from slipway_training.callbacks import training_callbacks

    resume = None if dry_run else checkpoints.latest(work / checkpoints.FOLDER)
    began = time.monotonic()
    try:
        callbacks = training_callbacks(
            training, log, stop, tokens_per_step=_tokens_a_step(training, material)
        )
        trainer = _trainer(training, work, callbacks, material=material, dry_run=dry_run)
        with naming_the_remedy("training", material.batch_size):
            _train(trainer, resume)
        state = trainer.state
        if stop.wanted and not dry_run and state.global_step < state.max_steps:
            stop.check()
        figures = _figures(trainer, material, seconds=time.monotonic() - began)
        if not dry_run:
            _keep(trainer, work, figures)
    except (ImportError, TypeError) as error:
        # An optimizer whose package is absent, or a scheduler argument that it does not know.
        raise ConfigInvalid(f"training.optimizer or training.scheduler: {error}") from error
    return figures


def trained_figures(work: Path) -> dict[str, float]:
    """The figures of the loop that ended in ``work``."""
    figures: dict[str, float] = json.loads((work / TRAINED / _FIGURES).read_bytes())
    return figures


def _tokens_a_step(training: Training, material: Material) -> int:
    samples = material.batch_size * training.gradient_accumulation * read_environment().processes
    return samples * material.units


def _trainer(
    training: Training, work: Path, callbacks: list[Any], *, material: Material, dry_run: bool
) -> Any:
    from transformers import PrinterCallback, Trainer

    hush()
    steps = steps_of(
        training,
        samples=len(material.train_set),
        batch_size=material.batch_size,
        processes=read_environment().processes,
    )
    trainer = Trainer(
        model=material.model,
        args=trainer_arguments(
            training,
            work,
            batch_size=material.batch_size,
            max_steps=steps,
            evaluates=len(material.eval_set) > 0,
            dry_run=dry_run,
        ),
        train_dataset=material.train_set,
        eval_dataset=material.eval_set,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _train(trainer: Any, resume: Path | None) -> None:
    """The Trainer's loop from ``resume`` on; nothing when that checkpoint is already the end.

    Asked to resume at its last step, the Trainer would train one step more.
    """
    if resume is None:
        trainer.train()
        return
    state = type(trainer.state).load_from_json(str(resume / "trainer_state.json"))
    sharded = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
    if state.global_step < trainer.args.max_steps or sharded:
        trainer.train(resume_from_checkpoint=str(resume))
        return
    trainer.state = state
    best = state.best_model_checkpoint if trainer.args.load_best_model_at_end else None
    trainer._load_from_checkpoint(best or str(resume))


def _leave_group() -> None:
    """The processes of a distributed run part here: the first publishes, the others end.

    What holds the model's gradient reducer must be gone before: were the reducer the last to hold
    the group, it would end the group's threads while it keeps Python's lock, which they may wait
    for (seen with gloo: the process never ended). A run that failed therefore leaves by its end.
    """
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        gc.collect()
        torch.distributed.destroy_process_group()


def _figures(trainer: Any, material: Material, *, seconds: float) -> dict[str, float]:
    from slipway_training.callbacks import WallClock

    clocks = [c for c in trainer.callback_handler.callbacks if isinstance(c, WallClock)]
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    figures = {
        "steps": float(trainer.state.global_step),
        "batch_size": float(material.batch_size),
        "train_seconds": round(clocks[0].spent if clocks else seconds, 3),
        "wall_clock_limit_reached": float(any(clock.reached for clock in clocks)),
    }
    return {**figures, "train_loss": losses[-1]} if losses else figures


def _keep(trainer: Any, work: Path, figures: dict[str, float]) -> None:
    """Store the final (or best) weights; every process of a sharded run takes part in gathering."""
    staged = work / ".trained.weights"
    trainer.save_model(str(staged))
    if not trainer.is_world_process_zero():
        return

    def fill(folder: Path) -> None:
        shutil.copytree(staged, folder, dirs_exist_ok=True)
        (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle
        write_atomically(folder / _FIGURES, json.dumps(figures).encode())

    build_folder(work / TRAINED, fill)
    shutil.rmtree(staged)
