"""What a training run is told: the one YAML config of ``slipway_training`` and of a ModelVersion.

Crosses the boundary from the resource to the run, so it lives here; what it *does* is the training
package's business.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from slipway_contracts.base import Duration, Fraction, Name, ShortText, Spec, Uri
from slipway_contracts.serving import Resources

# Resumable: the run wrote a checkpoint after SIGTERM and may be started again (EX_TEMPFAIL).
EXIT_CHECKPOINTED = 75
# The config or the data is wrong; starting again will not help (EX_CONFIG).
EXIT_INVALID = 78
# Out of memory; the log names the remedy.
EXIT_OUT_OF_MEMORY = 77


class TextData(Spec):
    """Plain text files, one corpus. ``bundled:jargon`` and ``bundled:devil`` ship with Slipway."""

    sources: tuple[Uri, ...] = Field(min_length=1, max_length=64)
    """Files, folders or bundled texts."""
    eval_fraction: float = Field(default=0.05, gt=0, lt=1)
    """Share of the text that is held out."""
    block_size: int = Field(default=128, ge=8, le=131_072)
    """Tokens a training example."""
    max_characters: int | None = Field(default=None, ge=1000)
    """Use only so much of the text."""


class Tokenizer(Spec):
    """A byte-level BPE that a from-scratch run trains on its own data."""

    vocab_size: int = Field(default=4096, ge=300, le=500_000)
    """Entries of the vocabulary."""


class Base(Spec):
    """Weights to start from: another version of the same namespace, or an artifact by digest."""

    version: Name | None = None
    """A ModelVersion of the same namespace."""
    uri: Uri | None = None
    """An artifact, or a Hugging Face repository at a revision."""

    @model_validator(mode="after")
    def _one(self) -> Base:
        if (self.version is None) == (self.uri is None):
            raise ValueError("training.base needs exactly one of version and uri")
        return self


class EarlyStopping(Spec):
    """Stop when ``metric`` has not improved for ``patience`` evaluations."""

    metric: ShortText = "eval_loss"
    """The figure to watch."""
    patience: int = Field(default=3, ge=1, le=1000)
    """Evaluations without improvement until the stop."""
    min_delta: float = Field(default=0.0, ge=0)
    """A smaller improvement is none."""


class Lora(Spec):
    """peft's LoRA settings."""

    r: int = Field(default=8, ge=1, le=1024)
    """Rank of the update matrices."""
    alpha: int = Field(default=16, ge=1, le=4096)
    """Scale of the update."""
    dropout: Fraction = 0.0
    """Dropout before the update matrices."""
    target_modules: tuple[ShortText, ...] = Field(default=(), max_length=64)
    """Modules that are adapted. Empty: peft's choice for the architecture."""


class Tracking(Spec):
    """Experiment trackers; off unless asked for, loud when their key or address is missing."""

    wandb: bool = False
    """Report to Weights & Biases."""
    mlflow: bool = False
    """Report to MLflow."""
    project: ShortText = "slipway"
    """Project or experiment there."""
    run_name: ShortText | None = None
    """Name of the run there. Empty: the tracker's choice."""


class Training(Spec):
    """One training run. Sizes are per device; durations are wall-clock."""

    method: Literal["scratch", "full", "lora"] = "scratch"
    """From scratch, a full fine-tune of base, or a LoRA adapter merged into it."""
    mode: Literal["baseline", "fsdp", "deepspeed"] = "baseline"
    """How several devices share the work."""
    architecture: ShortText = "tiny-llama"
    """A bundled architecture, for scratch."""
    base: Base | None = None
    data: TextData
    tokenizer: Tokenizer = Tokenizer()
    max_steps: int | None = Field(default=None, ge=1)
    """Optimizer steps. Empty: epochs decides."""
    epochs: float = Field(default=1.0, gt=0, le=10_000)
    """Passes over the data."""
    batch_size: int | None = Field(default=None, ge=1, le=65_536, description="empty: automatic")
    """Examples a device and step. Empty: as many as fit."""
    gradient_accumulation: int = Field(default=1, ge=1, le=4096)
    """Steps whose gradients are summed before an update."""
    learning_rate: float = Field(default=3e-4, gt=0, le=10)
    """Peak learning rate."""
    optimizer: ShortText = "adamw_torch"
    """An optimizer of transformers' Trainer."""
    scheduler: ShortText = "cosine"
    """A learning-rate schedule of transformers."""
    scheduler_args: dict[str, float] = Field(default_factory=dict, max_length=16)
    """The schedule's own arguments."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps in which the learning rate rises from 0."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Weight decay of the optimizer."""
    max_grad_norm: float = Field(default=1.0, ge=0)
    """Gradients are clipped to this norm; 0 clips nothing."""
    bf16: Literal["auto", "on", "off"] = "auto"
    """Mixed precision; auto uses it where the device has it."""
    seed: int = 42
    """Seed of everything random."""
    eval_every_steps: int = Field(default=50, ge=1)
    """Steps between evaluations on the held-out text."""
    checkpoint_every_steps: int = Field(default=50, ge=1)
    """Steps between checkpoints."""
    early_stopping: EarlyStopping | None = None
    wall_clock_limit: Duration | None = None
    """Stop cleanly after so long."""
    lora: Lora = Lora()
    tracking: Tracking = Tracking()
    resources: Resources = Resources()
    nodes: int = Field(default=1, ge=1, le=64)
    """Machines that train together; resources are those of each."""
    queue: Name | None = None
    """Kueue LocalQueue that admits the run. Empty: it starts at once."""
    backoff_limit: int = Field(default=2, ge=0, le=20)
    """How often a failed run is started again."""

    @model_validator(mode="after")
    def _base_matches(self) -> Training:
        if self.method == "scratch" and self.base is not None:
            raise ValueError(
                "training.base is for method full or lora; scratch starts from nothing"
            )
        if self.method != "scratch" and self.base is None:
            raise ValueError(f"training.method {self.method} needs training.base")
        return self
