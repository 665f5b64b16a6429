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
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    quantization: ShortText | None = None
    gpu_memory_utilization: Fraction | None = None
    max_num_seqs: int | None = Field(default=None, ge=1, le=4096)
    enforce_eager: bool | None = None
    tensor_parallel_size: int = Field(default=1, ge=1, le=64)


class Resources(Spec):
    """What one replica asks for. ``gpu: 0`` serves on the CPU."""

    gpu: int = Field(default=0, ge=0, le=64)
    cpu: int = Field(default=1, ge=1, le=512)
    memory: str = Field(default="4Gi", pattern=r"^[0-9]+(Mi|Gi)$")


class Toleration(Spec):
    """A Kubernetes toleration."""

    key: ShortText | None = None
    operator: Literal["Exists", "Equal"] = "Exists"
    value: ShortText | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


class Replicas(Spec):
    """Serve autoscaling: ``target`` is ongoing requests a replica."""

    min: int = Field(default=1, ge=1, le=1000)
    max: int = Field(default=1, ge=1, le=1000)
    target: int = Field(default=16, ge=1, le=10_000)

    @model_validator(mode="after")
    def _ordered(self) -> Replicas:
        if self.max < self.min:
            raise ValueError("replicas.max is below replicas.min; raise max or lower min")
        return self


class Warmup(Spec):
    """Completions sent to a fresh backend before it may take traffic."""

    requests: int = Field(default=2, ge=1, le=100)
    prompt: str = Field(default="Hello", min_length=1, max_length=4096)


class Slo(Spec):
    """Absolute bounds used where stable has too few samples to compare with."""

    ttft_ms: float = Field(default=2000, gt=0)
    token_ms: float = Field(default=250, gt=0)


class Serving(Spec):
    """How each replica of a version runs."""

    engine: EngineArgs = EngineArgs()
    resources: Resources = Resources()
    replicas: Replicas = Replicas()
    node_selector: dict[str, str] = Field(default_factory=dict, max_length=32)
    tolerations: tuple[Toleration, ...] = Field(default=(), max_length=16)
    mode: ServingMode = ServingMode.BLUE_GREEN
    drain_seconds: int = Field(default=30, ge=0, le=3600)
    warmup: Warmup = Warmup()
    capacity_timeout: Duration = Field(default="10m", validate_default=True)
    slo: Slo = Slo()
