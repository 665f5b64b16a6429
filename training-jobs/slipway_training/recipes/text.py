"""Text generation, start to artifact, in the order in which it happens.

1. read and split the corpus; 2. tokenizer and model: new, or those of a base artifact (with LoRA
adapters where asked for); 3. the shared loop, until its end is stored in ``WORK/trained``; 4. score
the held-out part and publish. Each part finds its predecessor's result on disk, so a run that is
killed anywhere and started again ends the same.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway_contracts.artifact import ArtifactRef, Lineage, Manifest
from slipway_contracts.run import RunResult, TrainRun
from slipway_contracts.training import Training
from slipway_training import heldout
from slipway_training.architectures import architecture, check_context, context_of, new_model
from slipway_training.arguments import check_names
from slipway_training.artifacts import FETCHED, open_artifact, publish
from slipway_training.batch_size import automatic_batch_size
from slipway_training.blocks import Blocks, evenly_spaced, token_blocks
from slipway_training.corpus import Corpus, load_corpus
from slipway_training.distributed import check_mode
from slipway_training.environment import read_environment
from slipway_training.errors import ConfigInvalid
from slipway_training.lineage import code_revision, config_digest
from slipway_training.loop import TRAINED, Material, run_loop, trained_figures
from slipway_training.memory import naming_the_remedy
from slipway_training.progress import ProgressLog
from slipway_training.stop import StopFlag
from slipway_training.tokenizer import load_tokenizer, save_tokenizer, train_tokenizer
from slipway_training.tracking import reporters

ADAPTER = "adapter"
# Evaluations during training read at most this many blocks: they steer, the final score judges.
_EVAL_BLOCKS = 64
_FINAL_BLOCKS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What the loop begins with; ``folder`` and ``manifest`` are the base artifact's."""

    model: Any
    tokenizer: Any
    architecture: str
    base: ArtifactRef | None = None
    folder: Path | None = None
    manifest: Manifest | None = None


def train(
    run: TrainRun, work: Path, stop: StopFlag, *, log: ProgressLog, dry_run: bool = False
) -> RunResult:
    """Carry out ``run``; raises a TrainingFailure that says what to do."""
    data = run.training.data
    check(run)
    corpus = load_corpus(data.sources, data.eval_fraction, max_characters=data.max_characters)
    stop.check()
    start = begin(run, corpus, cache=work / FETCHED)
    stop.check()
    if dry_run or not (work / TRAINED).is_dir():
        figures = run_loop(
            run.training,
            work,
            stop,
            material=prepare(run.training, corpus, start, work=work),
            log=log,
            dry_run=dry_run,
        )
        if dry_run:
            return RunResult(metrics=figures)
    if not read_environment().is_first:
        return RunResult()
    return finish(run, work, corpus, start=start, log=log)


def check(run: TrainRun) -> None:
    """Refuse everything that can be refused before data is read."""
    check_names(run.training)
    check_mode(run.training.mode)
    reporters(run.training.tracking, read_environment())
    if run.training.method == "scratch":
        shape = architecture(run.training.architecture)
        check_context(shape.context, run.training.data.block_size)
    elif run.base is None:
        raise ConfigInvalid(f"training.method {run.training.method} needs base (uri and digest)")


def begin(run: TrainRun, corpus: Corpus, *, cache: Path) -> Start:
    """New tokenizer and weights, or those of the verified base artifact."""
    training = run.training
    if run.base is None:
        shape = architecture(training.architecture)
        tokenizer = train_tokenizer(
            corpus.train, vocab_size=training.tokenizer.vocab_size, context=shape.context
        )
        with naming_the_remedy("building the model"):
            model = new_model(training.architecture, tokenizer, seed=training.seed)
        return Start(model=model, tokenizer=tokenizer, architecture=training.architecture)
    folder, manifest = open_artifact(run.base, cache)
    model = heldout.load_model(folder).train()
    check_context(context_of(model.config), training.data.block_size)
    if training.method == "lora":
        model = with_lora(model, training)
    return Start(
        model=model,
        tokenizer=load_tokenizer(folder),
        architecture=manifest.architecture,
        base=run.base,
        folder=folder,
        manifest=manifest,
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


def prepare(training: Training, corpus: Corpus, start: Start, *, work: Path) -> Material:
    """The corpus as blocks, and the batch size that this machine bears."""
    size = training.data.block_size
    blocks = token_blocks(start.tokenizer, corpus.train, size=size)
    if len(blocks) == 0:
        raise ConfigInvalid(
            f"training.data has less than one block of {size} tokens to train on; add text or "
            "lower blockSize"
        )
    held_out = token_blocks(start.tokenizer, corpus.held_out, size=size)
    return Material(
        model=start.model,
        train_set=Blocks(blocks),
        eval_set=Blocks(evenly_spaced(held_out, _EVAL_BLOCKS)),
        units=size,
        batch_size=training.batch_size or automatic_batch_size(start.model, blocks, work),
    )


def finish(
    run: TrainRun, work: Path, corpus: Corpus, *, start: Start, log: ProgressLog
) -> RunResult:
    """Score ``WORK/trained`` on the held-out part and publish it."""
    model = load_trained(work / TRAINED, start, lora=run.training.method == "lora")
    metrics = trained_figures(work)
    scores = heldout.score(
        model,
        start.tokenizer,
        corpus.held_out,
        max_samples=_FINAL_BLOCKS,
        block_size=run.training.data.block_size,
    )
    for name, figure in scores.items():
        if figure.value is not None:
            metrics[f"eval_{name}"] = figure.value
    parent = start.base.digest if start.base else None
    origin = start.manifest.lineage.base if start.manifest else None
    lineage = Lineage(
        parent=parent,
        base=origin or parent,
        dataset_digest=corpus.digest,
        config_digest=config_digest(run.training),
        code_revision=code_revision(),
        seed=run.training.seed,
    )

    def fill(folder: Path) -> None:
        model.save_pretrained(str(folder))
        save_tokenizer(start.tokenizer, folder)

    if run.training.method == "lora":
        keep_adapter(work, start, lineage)
    artifact = publish(
        Path(run.artifact_dir),
        fill,
        architecture=start.architecture,
        lineage=lineage,
        metrics=metrics,
    )
    steps = int(metrics["steps"])
    log.write(
        "end",
        step=steps,
        max_steps=steps,
        loss=metrics.get("train_loss"),
        eval_loss=metrics.get("eval_loss"),
    )
    return RunResult(artifact=artifact, lineage=lineage, metrics=metrics)


def keep_adapter(work: Path, start: Start, lineage: Lineage) -> None:
    """The adapter alone as an artifact of its own in ``WORK/adapter``."""
    adapter = work / ADAPTER

    def fill(folder: Path) -> None:
        for name in ("adapter_model.safetensors", "adapter_config.json"):
            shutil.copyfile(work / TRAINED / name, folder / name)

    if not adapter.exists():
        publish(
            adapter,
            fill,
            kind="lora-adapter",
            architecture=start.architecture,
            lineage=lineage,
            metrics={},
        )


def load_trained(trained: Path, start: Start, *, lora: bool) -> Any:
    """The stored weights as a plain model; an adapter is merged into its base."""
    if start.folder is None or not lora:
        return heldout.load_model(trained)
    from peft import PeftModel

    base = heldout.load_model(start.folder)
    return PeftModel.from_pretrained(base, str(trained)).merge_and_unload().eval()
