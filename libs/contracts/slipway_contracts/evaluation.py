"""Suites, gates and the report that an evaluation run writes.

The report carries every sample count; a gate never passes on zero samples or on failed requests.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from slipway_contracts.base import LongText, Name, ShortText, Spec, Uri


class Suite(Spec):
    """``heldout`` scores the artifact offline; ``endpoint`` sends requests to the served candidate.

    heldout metrics: ``loss`` (nats a token), ``perplexity``, ``bits_per_byte`` (the one that can be
    compared between tokenizers). endpoint metrics: ``success``,
    ``non_empty``, ``prefix_agreement`` (fractions), ``latency_p95_ms``.
    """

    name: Name
    """What gates call it by."""
    kind: Literal["heldout", "endpoint"]
    """heldout: offline on the artifact; endpoint: requests to the served candidate."""
    sources: tuple[Uri, ...] = Field(default=(), max_length=64)
    """Held-out texts. Empty: what the training kept back."""
    prompts: tuple[LongText, ...] = Field(default=(), max_length=256)
    """What endpoint suites ask. Empty: prompts from the held-out text."""
    max_samples: int = Field(default=64, ge=1, le=100_000)
    """At most so many samples."""
    max_tokens: int = Field(default=16, ge=1, le=4096)
    """Length of each answer that is asked for."""


class Gate(Spec):
    """A bound on ``SUITE.METRIC``. Relative bounds compare with the baseline's same figure."""

    metric: str = Field(pattern=r"^[a-z0-9-]+\.[a-z0-9_]+$", max_length=128)
    """SUITE.METRIC, such as heldout.loss."""
    max: float | None = None
    """Highest figure that passes."""
    min: float | None = None
    """Lowest figure that passes."""
    max_relative_increase: float | None = Field(default=None, ge=0)
    """How far above the baseline's figure still passes; 0.02 is 2 %."""
    max_relative_decrease: float | None = Field(default=None, ge=0, le=1)
    """How far below the baseline's figure still passes; 0.02 is 2 %."""

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
    """What is measured. Empty: nothing, and no gate."""
    baseline: Literal["stable", "none"] = "stable"
    """What relative gates compare with: the version that serves, or nothing."""
    gates: tuple[Gate, ...] = Field(default=(), max_length=64)
    """All must pass before a version is deployed."""
    approval: bool = False
    """Whether a person must approve after the gates passed."""

    @model_validator(mode="after")
    def _gates_name_suites(self) -> Evaluation:
        names = {suite.name for suite in self.suites}
        if len(names) != len(self.suites):
            raise ValueError("evaluation.suites has two suites of one name")
        if "suites" not in self.model_fields_set:
            # Gates alone may be an override of a Model's; the merged value is checked whole.
            return self
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
    """SUITE.METRIC."""
    passed: bool
    """Whether every bound held, on samples."""
    value: float | None = None
    """The candidate's figure; empty when nothing was measured."""
    baseline: float | None = None
    """The baseline's figure."""
    samples: int = 0
    """Samples behind the figure."""
    message: str = ""
    """What was missed, and by how much."""
