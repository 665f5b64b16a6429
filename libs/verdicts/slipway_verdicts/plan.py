"""What a rollout is judged by: metrics with their bounds, error rates, ladder, mode.

Filled by the operator from the resource's ``rollout.analysis`` and the resolved ladder; this
package knows nothing of resources. The defaults are the table of the design's verdict page.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from slipway_verdicts.errors import PlanError
from slipway_verdicts.ladder import betas_for

DEFAULT_ALPHA = 0.01
DEFAULT_RATIO = 1.25


class Mode(StrEnum):
    """How evidence becomes a verdict."""

    SEQUENTIAL = "Sequential"
    THRESHOLD = "Threshold"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRule:
    """One metric's bounds, as rates in [0, 1].

    ``floor``: at or below it the candidate never fails. ``pass_bound``: below it the candidate is
    good enough. ``required``: it must pass before a step ends; otherwise it can only fail.
    """

    metric: str
    floor: float
    pass_bound: float | None = None
    required: bool = True

    def __post_init__(self) -> None:
        for name, value in (("floor", self.floor), ("pass_bound", self.pass_bound)):
            if value is not None and not 0 <= value <= 1:
                raise PlanError(f"{self.metric}.{name} is {value}; give a rate from 0 to 1")
        if self.required and self.pass_bound is None:
            raise PlanError(f"{self.metric}.pass_bound is missing; a required metric needs one")

    def overridden(
        self,
        *,
        floor: float | None = None,
        pass_bound: float | None = None,
        required: bool | None = None,
    ) -> MetricRule:
        """This rule with what is not None; a metric newly required gets pass_bound 2 × floor."""
        new_floor = self.floor if floor is None else floor
        new_required = self.required if required is None else required
        new_bound = self.pass_bound if pass_bound is None else pass_bound
        if new_required and new_bound is None:
            new_bound = min(1.0, 2 * new_floor)
        return replace(self, floor=new_floor, pass_bound=new_bound, required=new_required)


def default_rules() -> tuple[MetricRule, ...]:
    """The eight metrics that the attempts log carries, with the design's bounds."""
    rare = tuple(
        MetricRule(metric=metric, floor=0.01, pass_bound=0.02)
        for metric in ("error", "refused", "empty", "schema_invalid")
    )
    return (
        *rare,
        MetricRule(metric="truncated", floor=0.05, pass_bound=0.10),
        MetricRule(metric="slow_start", floor=0.10, pass_bound=0.15),
        MetricRule(metric="slow_tokens", floor=0.10, pass_bound=0.15),
        MetricRule(metric="thumbs_down", floor=0.02, required=False),
    )


KNOWN_METRICS = frozenset(rule.metric for rule in default_rules())


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """``mode: Threshold``: the candidate's rate of ``metric`` may not exceed ``max``."""

    metric: str
    max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdPlan:
    """``mode: Threshold``: each closed interval with enough requests is one measurement."""

    interval_seconds: float = 60.0
    min_requests: int = 20
    failure_limit: int = 3
    bounds: tuple[Bound, ...] = (Bound(metric="error", max=0.01),)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisPlan:
    """Everything that ``judge`` needs apart from counts.

    ``alpha``: odds of ever failing a version that is no worse, over the whole rollout and all
    ``rules`` together. ``ratio``: how many times stable's rate still counts as no worse.
    ``weights``: the ladder in per cent, resolved (never empty while a step is judged);
    its β follow from ``ladder.betas_for``.
    """

    mode: Mode = Mode.SEQUENTIAL
    alpha: float = DEFAULT_ALPHA
    ratio: float = DEFAULT_RATIO
    rules: tuple[MetricRule, ...] = field(default_factory=default_rules)
    weights: tuple[int, ...] = ()
    threshold: ThresholdPlan = ThresholdPlan()

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise PlanError(f"alpha is {self.alpha}; give a probability, e.g. 0.01")
        if self.ratio < 1:
            raise PlanError(f"ratio is {self.ratio}; give at least 1, e.g. 1.25")
        _refuse_repeats(rule.metric for rule in self.rules)

    @property
    def betas(self) -> tuple[float, ...]:
        """Odds, at the bound, of passing each step wrongly."""
        return betas_for(self.weights)

    @property
    def metric_alpha(self) -> float:
        """α of one metric (Bonferroni over the plan's rules).

        The plan's, not those seen so far: a count that grows would lower a limit already passed
        and let the sum exceed ``alpha``. Leave rules out that cannot apply to the task.
        """
        return self.alpha / max(1, len(self.rules))


def _refuse_repeats(metrics: Iterable[str]) -> None:
    seen: set[str] = set()
    for metric in metrics:
        if metric in seen:
            raise PlanError(f"rules name {metric!r} twice; keep one rule a metric")
        seen.add(metric)
