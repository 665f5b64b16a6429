"""A ``Training`` spec → transformers' TrainingArguments, and every name in it checked first.

Names of optimizers and schedulers are transformers' own; a wrong one is refused before any data is
read, with the list of right ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slipway_contracts.training import Training
from slipway_training import checkpoints
from slipway_training.distributed import distributed_arguments
from slipway_training.environment import read_environment
from slipway_training.errors import ConfigInvalid, one_of
from slipway_training.tracking import reporters

# Enough lines for a smooth curve, few enough that logging costs nothing.
_LOG_LINES = 40
_LAST_CHECKPOINTS = 2


def check_names(training: Training) -> None:
    """Raise ConfigInvalid for an unknown optimizer, scheduler or early-stopping metric."""
    from transformers.trainer_utils import SchedulerType
    from transformers.training_args import OptimizerNames

    optimizers = [item.value for item in OptimizerNames]
    schedulers = [item.value for item in SchedulerType]
    if training.optimizer not in optimizers:
        raise one_of("training.optimizer", training.optimizer, optimizers)
    if training.scheduler not in schedulers:
        raise one_of("training.scheduler", training.scheduler, schedulers)
    if training.early_stopping and training.early_stopping.metric not in ("eval_loss", "loss"):
        metric = training.early_stopping.metric
        raise one_of("training.earlyStopping.metric", metric, ["eval_loss"])


def trainer_arguments(
    training: Training,
    work: Path,
    *,
    batch_size: int,
    max_steps: int,
    evaluates: bool = True,
    dry_run: bool = False,
) -> Any:
    """The TrainingArguments of this run on this machine; a dry run is one unsaved step."""
    import torch
    from transformers import TrainingArguments

    saves = "no" if dry_run else "steps"
    cuda = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(work / checkpoints.FOLDER),
        max_steps=1 if dry_run else max_steps,
        per_device_train_batch_size=batch_size,
        per_device_eval_batch_size=batch_size,
        gradient_accumulation_steps=training.gradient_accumulation,
        learning_rate=training.learning_rate,
        optim=training.optimizer,
        lr_scheduler_type=training.scheduler,
        lr_scheduler_kwargs=whole_numbers(training.scheduler_args),
        warmup_steps=training.warmup_steps,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        bf16=use_bf16(training.bf16),
        seed=training.seed,
        data_seed=training.seed,
        use_cpu=not cuda,
        logging_steps=max(1, max_steps // _LOG_LINES),
        logging_nan_inf_filter=False,
        eval_strategy=saves if evaluates else "no",
        eval_steps=training.eval_every_steps,
        save_strategy=saves,
        save_steps=_save_every(training),
        save_total_limit=_LAST_CHECKPOINTS,
        load_best_model_at_end=training.early_stopping is not None and not dry_run,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        restore_callback_states_from_checkpoint=True,
        prediction_loss_only=True,
        dataloader_pin_memory=cuda,
        disable_tqdm=True,
        ddp_find_unused_parameters=False,
        report_to=[] if dry_run else reporters(training.tracking, read_environment()),
        run_name=training.tracking.run_name,
        project=training.tracking.project,
        **distributed_arguments(training.mode),
    )


def use_bf16(wish: str) -> bool:
    """``auto`` takes bf16 where an accelerator computes in it; on a CPU autocast only costs."""
    import torch

    if wish == "off":
        return False
    cuda = torch.cuda.is_available()
    able = cuda and torch.cuda.is_bf16_supported()
    if wish == "on" and cuda and not able:
        raise ConfigInvalid("training.bf16 is 'on', but this GPU has no bf16; use 'auto' or 'off'")
    return able or wish == "on"


def whole_numbers(values: dict[str, float]) -> dict[str, float | int]:
    """2.0 → 2: schedulers count cycles and steps in integers, the spec carries numbers only."""
    return {key: int(value) if value.is_integer() else value for key, value in values.items()}


def steps_of(training: Training, *, samples: int, batch_size: int, processes: int = 1) -> int:
    """Optimizer steps of the run: ``max_steps``, or as many as ``epochs`` over ``samples`` make."""
    if training.max_steps is not None:
        return training.max_steps
    a_step = batch_size * training.gradient_accumulation * processes
    return max(1, round(training.epochs * samples / a_step))


def _save_every(training: Training) -> int:
    # The best model can only be kept where a checkpoint is made at each evaluation.
    return training.eval_every_steps if training.early_stopping else training.checkpoint_every_steps
