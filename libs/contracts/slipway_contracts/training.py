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
    eval_fraction: float = Field(default=0.05, gt=0, lt=1)
    block_size: int = Field(default=128, ge=8, le=131_072)
    max_characters: int | None = Field(default=None, ge=1000)


class Tokenizer(Spec):
    """A byte-level BPE that a from-scratch run trains on its own data."""

    vocab_size: int = Field(default=4096, ge=300, le=500_000)


class Base(Spec):
    """Weights to start from: another version of the same namespace, or an artifact by digest."""

    version: Name | None = None
    uri: Uri | None = None

    @model_validator(mode="after")
    def _one(self) -> Base:
        if (self.version is None) == (self.uri is None):
            raise ValueError("training.base needs exactly one of version and uri")
        return self


class EarlyStopping(Spec):
    """Stop when ``metric`` has not improved for ``patience`` evaluations."""

    metric: ShortText = "eval_loss"
    patience: int = Field(default=3, ge=1, le=1000)
    min_delta: float = Field(default=0.0, ge=0)


class Lora(Spec):
    """peft's LoRA settings."""

    r: int = Field(default=8, ge=1, le=1024)
    alpha: int = Field(default=16, ge=1, le=4096)
    dropout: Fraction = 0.0
    target_modules: tuple[ShortText, ...] = Field(default=(), max_length=64)


class Tracking(Spec):
    """Experiment trackers; off unless asked for, loud when their key or address is missing."""

    wandb: bool = False
    mlflow: bool = False
    project: ShortText = "slipway"
    run_name: ShortText | None = None


class Training(Spec):
    """One training run. Sizes are per device; durations are wall-clock."""

    method: Literal["scratch", "full", "lora"] = "scratch"
    mode: Literal["baseline", "fsdp", "deepspeed"] = "baseline"
    architecture: ShortText = "tiny-llama"
    base: Base | None = None
    data: TextData
    tokenizer: Tokenizer = Tokenizer()
    max_steps: int | None = Field(default=None, ge=1)
    epochs: float = Field(default=1.0, gt=0, le=10_000)
    batch_size: int | None = Field(default=None, ge=1, le=65_536, description="empty: automatic")
    gradient_accumulation: int = Field(default=1, ge=1, le=4096)
    learning_rate: float = Field(default=3e-4, gt=0, le=10)
    optimizer: ShortText = "adamw_torch"
    scheduler: ShortText = "cosine"
    scheduler_args: dict[str, float] = Field(default_factory=dict, max_length=16)
    warmup_steps: int = Field(default=0, ge=0)
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, ge=0)
    bf16: Literal["auto", "on", "off"] = "auto"
    seed: int = 42
    eval_every_steps: int = Field(default=50, ge=1)
    checkpoint_every_steps: int = Field(default=50, ge=1)
    early_stopping: EarlyStopping | None = None
    wall_clock_limit: Duration | None = None
    lora: Lora = Lora()
    tracking: Tracking = Tracking()
    resources: Resources = Resources()
    backoff_limit: int = Field(default=2, ge=0, le=20)

    @model_validator(mode="after")
    def _base_matches(self) -> Training:
        if self.method == "scratch" and self.base is not None:
            raise ValueError(
                "training.base is for method full or lora; scratch starts from nothing"
            )
        if self.method != "scratch" and self.base is None:
            raise ValueError(f"training.method {self.method} needs training.base")
        return self
