"""Suites, gates and the report that an evaluation run writes.

The report carries every sample count; a gate never passes on zero samples or on failed requests.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from slipway_contracts.base import Name, ShortText, Spec, Uri


class Suite(Spec):
    """``heldout`` scores the artifact offline; ``endpoint`` sends requests to the served candidate.

    heldout metrics: ``loss`` (nats a token), ``perplexity``. endpoint metrics: ``success``,
    ``non_empty``, ``prefix_agreement`` (fractions), ``latency_p95_ms``.
    """

    name: Name
    kind: Literal["heldout", "endpoint"]
    sources: tuple[Uri, ...] = Field(default=(), max_length=64)
    prompts: tuple[str, ...] = Field(default=(), max_length=256)
    max_samples: int = Field(default=64, ge=1, le=100_000)
    max_tokens: int = Field(default=16, ge=1, le=4096)


class Gate(Spec):
    """A bound on ``SUITE.METRIC``. Relative bounds compare with the baseline's same figure."""

    metric: str = Field(pattern=r"^[a-z0-9-]+\.[a-z0-9_]+$", max_length=128)
    max: float | None = None
    min: float | None = None
    max_relative_increase: float | None = Field(default=None, ge=0)
    max_relative_decrease: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _bounded(self) -> Gate:
        if all(
            bound is None
            for bound in (
                self.max,
                self.min,
                self.max_relative_increase,
                self.max_relative_decrease,
            )
        ):
            raise ValueError(f"gate {self.metric} has no bound; set max, min or a relative bound")
        return self


class Evaluation(Spec):
    """What is measured before a version may take traffic, and what it must reach."""

    suites: tuple[Suite, ...] = Field(default=(), max_length=16)
    baseline: Literal["stable", "none"] = "stable"
    gates: tuple[Gate, ...] = Field(default=(), max_length=64)
    approval: bool = False

    @model_validator(mode="after")
    def _gates_name_suites(self) -> Evaluation:
        names = {suite.name for suite in self.suites}
        if len(names) != len(self.suites):
            raise ValueError("evaluation.suites has two suites of one name")
        for gate in self.gates:
            if gate.metric.split(".")[0] not in names:
                raise ValueError(
                    f"gate {gate.metric} names no suite; suites are {sorted(names) or 'none'}"
                )
        return self


class Figure(Spec):
    """One measured figure with the samples behind it; ``value`` is None when none succeeded."""

    value: float | None = None
    samples: int = Field(ge=0)
    failed: int = Field(default=0, ge=0)


class SuiteResult(Spec):
    """One suite's figures, for the candidate and (where one was measured) the baseline."""

    suite: Name
    kind: Literal["heldout", "endpoint"]
    candidate: dict[str, Figure]
    baseline: dict[str, Figure] = Field(default_factory=dict)


class EvaluationReport(Spec):
    """What an evaluation run leaves in its ``result.json``."""

    version: ShortText
    baseline: str | None = None
    suites: tuple[SuiteResult, ...]


class GateResult(Spec):
    """One gate's outcome with the figures it was judged on."""

    metric: str
    passed: bool
    value: float | None = None
    baseline: float | None = None
    samples: int = 0
    message: str = ""
