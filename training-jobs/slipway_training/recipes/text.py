"""Text generation, start to artifact, in the order in which it happens.

1. read and split the corpus; 2. tokenizer and model: new, or those of a base artifact (with LoRA
adapters where asked for); 3. the Trainer's loop, resumed from the last sealed checkpoint, until its
end is stored in ``WORK/trained``; 4. score the held-out part and publish. Each part finds its
predecessor's result on disk, so a run that is killed anywhere and started again ends the same.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway_contracts.artifact import ArtifactRef, Lineage, Manifest
from slipway_contracts.run import RunResult, TrainRun
from slipway_contracts.training import Training
from slipway_training import checkpoints, heldout
from slipway_training.architectures import architecture, check_context, context_of, new_model
from slipway_training.arguments import check_names, steps_of, trainer_arguments
from slipway_training.artifacts import open_artifact, publish
from slipway_training.batch_size import automatic_batch_size
from slipway_training.blocks import Blocks, evenly_spaced, token_blocks
from slipway_training.corpus import Corpus, load_corpus
from slipway_training.distributed import check_mode
from slipway_training.errors import ConfigInvalid
from slipway_training.files import build_folder, write_atomically
from slipway_training.lineage import code_revision, config_digest
from slipway_training.memory import naming_the_remedy
from slipway_training.progress import ProgressLog
from slipway_training.stop import StopFlag
from slipway_training.tokenizer import load_tokenizer, save_tokenizer, train_tokenizer
from slipway_training.tracking import reporters

TRAINED = "trained"
_STATE = "trained.json"
# Evaluations during training read at most this many blocks: they steer, the final score judges.
_EVAL_BLOCKS = 64
_FINAL_BLOCKS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What the loop begins with."""

    model: Any
    tokenizer: Any
    architecture: str
    base: ArtifactRef | None
    base_manifest: Manifest | None


def train(run: TrainRun, work: Path, stop: StopFlag, *, dry_run: bool = False) -> RunResult:
    """Carry out ``run``; raises a TrainingFailure that says what to do."""
    training = run.training
    check_config(run)
    corpus = load_corpus(
        training.data.sources,
        training.data.eval_fraction,
        max_characters=training.data.max_characters,
    )
    stop.check()
    start = begin(run, corpus)
    blocks = token_blocks(start.tokenizer, corpus.train, size=training.data.block_size)
    if len(blocks) == 0:
        raise ConfigInvalid(
            "training.data has less than one block of text to train on; add text or lower blockSize"
        )
    stop.check()
    if not (work / TRAINED).is_dir():
        held_out = token_blocks(start.tokenizer, corpus.held_out, size=training.data.block_size)
        figures = run_loop(
            training, work, stop, start=start, blocks=blocks, held_out=held_out, dry_run=dry_run
        )
        if dry_run:
            return RunResult(metrics=figures)
    if int(os.environ.get("RANK", "0")) != 0:
        return RunResult()
    return finish(run, work, corpus, start)


def check_config(run: TrainRun) -> None:
    """Everything that can be refused before data is read."""
    check_names(run.training)
    check_mode(run.training.mode)
    reporters(run.training.tracking)
    if run.training.method == "scratch":
        shape = architecture(run.training.architecture)
        check_context(shape.context, run.training.data.block_size)
    elif run.base is None:
        raise ConfigInvalid(f"training.method {run.training.method} needs base (uri and digest)")


def begin(run: TrainRun, corpus: Corpus) -> Start:
    """New tokenizer and weights, or those of the verified base artifact."""
    training = run.training
    if run.base is None:
        shape = architecture(training.architecture)
        tokenizer = train_tokenizer(
            corpus.train, vocab_size=training.tokenizer.vocab_size, context=shape.context
        )
        with naming_the_remedy("building the model"):
            model = new_model(training.architecture, tokenizer, seed=training.seed)
        return Start(
            model=model,
            tokenizer=tokenizer,
            architecture=training.architecture,
            base=None,
            base_manifest=None,
        )
    folder, manifest = open_artifact(run.base)
    model = heldout.load_model(folder).train()
    check_context(context_of(model.config), training.data.block_size)
    if training.method == "lora":
        model = with_lora(model, training)
    return Start(
        model=model,
        tokenizer=load_tokenizer(folder),
        base=run.base,
        architecture=manifest.architecture,
        base_manifest=manifest,
    )


def with_lora(model: Any, training: Training) -> Any:
    """The model with trainable low-rank adapters over frozen weights."""
    import torch
    from peft import LoraConfig, TaskType, get_peft_model

    lora = training.lora
    torch.manual_seed(training.seed)
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.target_modules) or "all-linear",
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise ConfigInvalid(f"training.lora does not fit the base model: {error}") from error


def run_loop(
    training: Training,
    work: Path,
    stop: StopFlag,
    *,
    start: Start,
    blocks: Any,
    held_out: Any,
    dry_run: bool,
) -> dict[str, float]:
    """Train, and leave the final weights in ``WORK/trained``. Raises Interrupted on a signal."""
    from transformers import Trainer

    from slipway_training.callbacks import WallClock, training_callbacks

    batch_size = training.batch_size or automatic_batch_size(start.model, blocks, work)
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    steps = steps_of(training, blocks=len(blocks), batch_size=batch_size, processes=processes)
    if len(held_out) == 0 and training.early_stopping:
        raise ConfigInvalid("training.data holds out less than one block; raise evalFraction")
    try:
        trainer = Trainer(
            model=start.model,
            args=trainer_arguments(
                training, work, batch_size=batch_size, max_steps=steps, dry_run=dry_run
            ),
            train_dataset=Blocks(blocks),
            eval_dataset=Blocks(evenly_spaced(held_out, _EVAL_BLOCKS)),
            callbacks=training_callbacks(
                training,
                ProgressLog(work),
                stop,
                tokens_per_step=batch_size
                * training.gradient_accumulation
                * processes
                * training.data.block_size,
            ),
        )
        resume = None if dry_run else checkpoints.latest(work / checkpoints.FOLDER)
        began = time.monotonic()
        with naming_the_remedy("training", batch_size):
            outcome = trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    except (ImportError, TypeError) as error:
        # An optimizer whose package is absent, or a scheduler argument that it does not know.
        raise ConfigInvalid(f"training.optimizer or training.scheduler: {error}") from error
    figures = {"steps": float(trainer.state.global_step), "batch_size": float(batch_size)}
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    figures["train_loss"] = losses[-1] if losses else outcome.training_loss
    if dry_run:
        return figures
    if stop.wanted and trainer.state.global_step < trainer.state.max_steps:
        stop.check()
    seconds = time.monotonic() - began
    clocks = [c for c in trainer.callback_handler.callbacks if isinstance(c, WallClock)]
    figures["train_seconds"] = clocks[0].spent if clocks else seconds
    figures["wall_clock_limit_reached"] = float(any(clock.reached for clock in clocks))
    keep(trainer, work, figures)
    return figures


def keep(trainer: Any, work: Path, figures: dict[str, float]) -> None:
    """Store the final (or best) weights and figures; every process of a sharded run takes part."""
    staged = work / ".trained.weights"
    trainer.save_model(str(staged))
    if trainer.is_world_process_zero():

        def fill(folder: Path) -> None:
            shutil.copytree(staged, folder, dirs_exist_ok=True)
            (folder / "training_args.bin").unlink(missing_ok=True)
            write_atomically(folder / _STATE, json.dumps(figures).encode())

        build_folder(work / TRAINED, fill)
        shutil.rmtree(staged)


def finish(run: TrainRun, work: Path, corpus: Corpus, start: Start) -> RunResult:
    """Score ``WORK/trained`` on the held-out part and publish it."""
    trained = work / TRAINED
    model = load_trained(trained, start, lora=run.training.method == "lora")
    metrics: dict[str, float] = json.loads((trained / _STATE).read_bytes())
    block_size = min(run.training.data.block_size, context_of(model.config))
    for name, figure in heldout.score(
        model, start.tokenizer, corpus.held_out, max_samples=_FINAL_BLOCKS, block_size=block_size
    ).items():
        if figure.value is not None:
            metrics[f"eval_{name}"] = figure.value
    base = start.base.digest if start.base else None
    origin = start.base_manifest.lineage.base if start.base_manifest else None
    lineage = Lineage(
        parent=base,
        base=origin or base,
        dataset_digest=corpus.digest,
        config_digest=config_digest(run.training),
        code_revision=code_revision(),
        seed=run.training.seed,
    )

    def fill(folder: Path) -> None:
        model.save_pretrained(str(folder))
        save_tokenizer(start.tokenizer, folder)

    artifact = publish(
        Path(run.artifact_dir),
        fill,
        architecture=start.architecture,
        lineage=lineage,
        metrics=metrics,
    )
    steps = int(metrics["steps"])
    ProgressLog(work).write(
        "end",
        step=steps,
        max_steps=steps,
        loss=metrics["train_loss"],
        eval_loss=metrics.get("eval_loss"),
    )
    return RunResult(artifact=artifact, lineage=lineage, metrics=metrics)


def load_trained(trained: Path, start: Start, *, lora: bool) -> Any:
    """The stored weights as a plain model; an adapter is merged into its base."""
    if not lora:
        return heldout.load_model(trained)
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    set_peft_model_state_dict(start.model, load_file(trained / "adapter_model.safetensors"))
    return start.model.merge_and_unload().eval()
