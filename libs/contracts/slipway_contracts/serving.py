"""How a version is run: engine arguments, resources, replicas, warm-up.

A Model holds the default; a ModelVersion may override; the effective value is snapshotted when the
version is accepted, so that editing a Model never bypasses a canary.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field, model_validator

from slipway_contracts.base import Duration, Fraction, ShortText, Spec


class ServingMode(StrEnum):
    """How a candidate gets its room."""

    BLUE_GREEN = "BlueGreen"
    RECREATE = "Recreate"
    ADAPTER_ON_STABLE = "AdapterOnStable"


class EngineArgs(Spec):
    """vLLM's own knobs, by their names there."""

    max_model_len: int | None = Field(default=None, ge=16, le=1_048_576)
    """Longest context in tokens, prompt and answer. Empty: the artifact's own."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """Type of weights and activations."""
    quantization: ShortText | None = None
    """Quantization method, as vLLM names it. Empty: what the artifact says."""
    gpu_memory_utilization: Fraction | None = None
    """Share of the GPU's memory that the engine may take."""
    max_num_seqs: int | None = Field(default=None, ge=1, le=4096)
    """Most sequences in one batch."""
    enforce_eager: bool | None = None
    """Run without CUDA graphs: slower, less memory, quicker start."""
    tensor_parallel_size: int = Field(default=1, ge=1, le=64)
    """GPUs that share each layer of one replica."""


class Resources(Spec):
    """What one replica asks for. ``gpu: 0`` serves on the CPU."""

    gpu: int = Field(default=0, ge=0, le=64)
    """GPUs; 0 serves on the CPU."""
    cpu: int = Field(default=1, ge=1, le=512)
    """CPU cores."""
    memory: str = Field(default="4Gi", pattern=r"^[0-9]+(Mi|Gi)$", max_length=16)
    """Main memory, such as 8Gi."""


class Toleration(Spec):
    """A Kubernetes toleration."""

    key: ShortText | None = None
    """The taint's key; empty with Exists: every taint."""
    operator: Literal["Exists", "Equal"] = "Exists"
    """How the value is compared."""
    value: ShortText | None = None
    """The taint's value, for Equal."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The taint's effect; empty: every effect."""


class Replicas(Spec):
    """Serve autoscaling: ``target`` is ongoing requests a replica."""

    min: int = Field(default=1, ge=1, le=1000)
    """Fewest replicas."""
    max: int = Field(default=1, ge=1, le=1000)
    """Most replicas."""
    target: int = Field(default=16, ge=1, le=10_000)
    """Ongoing requests a replica at which one more is started."""

    @model_validator(mode="after")
    def _ordered(self) -> Replicas:
        # Half a pair may be an override of a Model's; the merged value is checked whole.
        if {"min", "max"} <= self.model_fields_set and self.max < self.min:
            raise ValueError("replicas.max is below replicas.min; raise max or lower min")
        return self


class Warmup(Spec):
    """Completions sent to a fresh backend before it may take traffic."""

    requests: int = Field(default=2, ge=1, le=100)
    """How many completions."""
    prompt: str = Field(default="Hello", min_length=1, max_length=4096)
    """What they ask."""


class Slo(Spec):
    """Absolute bounds used where stable has too few samples to compare with."""

    ttft_ms: float = Field(default=2000, gt=0)
    """A first token later than this is slow, in milliseconds."""
    token_ms: float = Field(default=250, gt=0)
    """A longer mean gap between tokens than this is slow, in milliseconds."""


class Serving(Spec):
    """How each replica of a version runs."""

    engine: EngineArgs = EngineArgs()
    resources: Resources = Resources()
    replicas: Replicas = Replicas()
    node_selector: dict[str, ShortText] = Field(default_factory=dict, max_length=32)
    """Labels that a node must have."""
    tolerations: tuple[Toleration, ...] = Field(default=(), max_length=16)
    """Taints that replicas accept."""
    mode: ServingMode = ServingMode.BLUE_GREEN
    """How a candidate gets its room beside the stable version."""
    drain_seconds: int = Field(default=30, ge=0, le=3600)
    """How long open streams may run on after the weight is 0."""
    warmup: Warmup = Warmup()
    capacity_timeout: Duration = Field(default="10m", validate_default=True)
    """How long a candidate may wait for a node before its rollout is aborted."""
    slo: Slo = Slo()
