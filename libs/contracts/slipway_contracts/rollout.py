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
    """The rate that the rule is for."""
    floor: Fraction | None = None
    """A rate at or below this never fails."""
    pass_bound: Fraction | None = None
    """A rate below this is good enough."""
    required: bool | None = None
    """Whether it must pass before a step ends; otherwise it can only fail."""


class ThresholdBound(Spec):
    """One bound of mode Threshold: the candidate's rate of ``metric`` may not exceed ``max``."""

    metric: Metric
    """The rate that is bounded."""
    max: Fraction
    """Highest rate that passes."""


class Threshold(Spec):
    """Plain bounds, for parity with tools that judge by them."""

    interval: Duration = Field(default="60s", validate_default=True)
    """Length of one measurement."""
    min_requests: int = Field(default=20, ge=1)
    """A measurement with fewer requests says nothing."""
    failure_limit: int = Field(default=3, ge=1, le=100)
    """So many failed measurements abort."""
    bounds: tuple[ThresholdBound, ...] = Field(
        default=(ThresholdBound(metric=Metric.ERROR, max=0.01),), max_length=16
    )
    """All must hold."""


class Analysis(Spec):
    """How evidence becomes a verdict. ``metrics`` empty: every metric with its default bounds."""

    mode: Literal["Sequential", "Threshold"] = "Sequential"
    """Sequential compares with the stable version at every look; Threshold is plain bounds."""
    alpha: float = Field(default=0.01, gt=0, lt=0.5)
    """Odds of ever aborting a version that is no worse, over the whole rollout."""
    ratio: float = Field(default=1.25, ge=1, le=10)
    """How many times the stable version's rate still counts as no worse."""
    latency_tolerance: float = Field(default=1.25, ge=1, le=100)
    """How many times the stable version's p95 is slow."""
    metrics: tuple[MetricRule, ...] = Field(default=(), max_length=16)
    """The metrics to judge by, with their bounds. Empty: every metric with its defaults."""
    threshold: Threshold = Threshold()
    error_budget: int = Field(default=5, ge=0, le=1000)
    """So many ticks may be unreadable before the rollout is aborted."""
    on_undecided: Literal["Abort", "Promote", "Hold"] = "Abort"
    """What happens at maxDuration without a verdict."""

    @model_validator(mode="after")
    def _unique(self) -> Analysis:
        names = [rule.metric for rule in self.metrics]
        if len(set(names)) != len(names):
            raise ValueError("analysis.metrics names a metric twice; keep one rule a metric")
        return self


class Step(Spec):
    """One rung: the candidate's share until every metric passed and ``min_duration`` is met."""

    weight: int = Field(ge=1, le=99)
    """The candidate's share in per cent."""
    min_duration: Duration = Field(default="60s", validate_default=True)
    """The step lasts at least so long."""
    approval: bool = False
    """Whether a person must approve before the step begins."""


class Shadow(Spec):
    """A sampled copy of traffic before the first step; answers are stored, never returned."""

    sample: Fraction = 0.1
    """Share of requests that are copied."""
    min_duration: Duration = Field(default="60s", validate_default=True)
    """The shadow phase lasts at least so long."""
    min_requests: int = Field(default=20, ge=1)
    """And at least so many copies were answered."""


class Rollout(Spec):
    """From the first per cent to promotion. Empty ``steps``: the Auto ladder of VERDICTS.md."""

    strategy: Literal["Canary", "Direct"] = "Canary"
    """Canary raises the share in steps; Direct goes to all traffic at once."""
    shadow: Shadow | None = None
    steps: tuple[Step, ...] = Field(default=(), max_length=20)
    """Rising shares. Empty: a ladder that fits the traffic of the last hour."""
    stickiness: Literal["Conversation", "User", "Key"] = "Conversation"
    """What stays on one version: a conversation, a user or an API key."""
    analysis: Analysis = Analysis()
    max_duration: Duration = Field(default="2h", validate_default=True)
    """Without a verdict by then, analysis.onUndecided happens; pauses do not count."""
    auto_promote: bool = True
    """Whether the last step is taken without asking."""
    post_promotion_watch: Duration = Field(default="10m", validate_default=True)
    """How long the old version keeps 5 % after a promotion, for comparison."""

    @model_validator(mode="after")
    def _rising(self) -> Rollout:
        weights = [step.weight for step in self.steps]
        if weights != sorted(set(weights)):
            raise ValueError("rollout.steps weights must rise strictly, e.g. 10, 25, 50")
        return self


class TrafficShare(Spec):
    """One arm of a fixed split."""

    version: str = Field(min_length=1, max_length=63)
    """The ModelVersion."""
    weight: Percent
    """Its share in per cent."""
