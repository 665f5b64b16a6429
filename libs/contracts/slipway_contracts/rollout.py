"""How a version takes traffic and how it is judged (VERDICTS.md in the design)."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field, model_validator

from slipway_contracts.base import Duration, Fraction, Percent, Spec


class Metric(StrEnum):
    """Rates of bad events that the attempts log carries."""

    ERROR = "error"
    REFUSED = "refused"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    SLOW_START = "slow_start"
    SLOW_TOKENS = "slow_tokens"
    SCHEMA_INVALID = "schema_invalid"
    THUMBS_DOWN = "thumbs_down"


class MetricRule(Spec):
    """Overrides of one metric's bounds; what is left out keeps the default of its kind."""

    metric: Metric
    floor: Fraction | None = None
    pass_bound: Fraction | None = None
    required: bool | None = None


class ThresholdBound(Spec):
    """``mode: Threshold``: the rate of ``metric`` on the candidate may not exceed ``max``."""

    metric: Metric
    max: Fraction


class Threshold(Spec):
    """Plain bounds, for parity with tools that judge by them."""

    interval: Duration = Field(default="60s", validate_default=True)
    min_requests: int = Field(default=20, ge=1)
    failure_limit: int = Field(default=3, ge=1, le=100)
    bounds: tuple[ThresholdBound, ...] = Field(
        default=(ThresholdBound(metric=Metric.ERROR, max=0.01),), max_length=16
    )


class Analysis(Spec):
    """How evidence becomes a verdict. ``metrics`` empty: every metric with its default bounds."""

    mode: Literal["Sequential", "Threshold"] = "Sequential"
    alpha: float = Field(default=0.01, gt=0, lt=0.5)
    ratio: float = Field(default=1.25, ge=1, le=10)
    latency_tolerance: float = Field(default=1.25, ge=1, le=100)
    metrics: tuple[MetricRule, ...] = Field(default=(), max_length=16)
    threshold: Threshold = Threshold()
    error_budget: int = Field(default=5, ge=0, le=1000)
    on_undecided: Literal["Abort", "Promote", "Hold"] = "Abort"

    @model_validator(mode="after")
    def _unique(self) -> Analysis:
        names = [rule.metric for rule in self.metrics]
        if len(set(names)) != len(names):
            raise ValueError("analysis.metrics names a metric twice; keep one rule a metric")
        return self


class Step(Spec):
    """One rung: the candidate's share until every metric passed and ``min_duration`` is met."""

    weight: int = Field(ge=1, le=99)
    min_duration: Duration = Field(default="60s", validate_default=True)
    approval: bool = False


class Shadow(Spec):
    """A sampled copy of traffic before the first step; answers are stored, never returned."""

    sample: Fraction = 0.1
    min_duration: Duration = Field(default="60s", validate_default=True)
    min_requests: int = Field(default=20, ge=1)


class Rollout(Spec):
    """From the first per cent to promotion. Empty ``steps``: the Auto ladder of VERDICTS.md."""

    strategy: Literal["Canary", "Direct"] = "Canary"
    shadow: Shadow | None = None
    steps: tuple[Step, ...] = Field(default=(), max_length=20)
    stickiness: Literal["Conversation", "User", "Key"] = "Conversation"
    analysis: Analysis = Analysis()
    max_duration: Duration = Field(default="2h", validate_default=True)
    auto_promote: bool = True
    post_promotion_watch: Duration = Field(default="10m", validate_default=True)

    @model_validator(mode="after")
    def _rising(self) -> Rollout:
        weights = [step.weight for step in self.steps]
        if weights != sorted(set(weights)):
            raise ValueError("rollout.steps weights must rise strictly, e.g. 10, 25, 50")
        return self


class TrafficShare(Spec):
    """One arm of a fixed split."""

    version: str = Field(min_length=1, max_length=63)
    weight: Percent
