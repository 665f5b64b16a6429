"""A Model's rollout settings → the simulation of the verdicts package, and its result as text.

Pure apart from the seeded random numbers inside the simulation.
"""

from __future__ import annotations

from collections.abc import Sequence

from slipway_cli.errors import InvalidInput
from slipway_cli.render import table
from slipway_contracts.rollout import Analysis, Rollout
from slipway_verdicts.errors import PlanError
from slipway_verdicts.plan import AnalysisPlan, Bound, Mode, ThresholdPlan, default_rules
from slipway_verdicts.simulate import Rates, Row, SimulationResult, SimulationSettings
from slipway_verdicts.simulate import table as result_rows

METRIC = "error"
HEADERS = [
    "Rule",
    "Promoted",
    "Aborted",
    "Undecided",
    "Minutes",
    "P90",
    "Candidate requests",
    "Bad above stable",
]


def settings_for(
    rollout: Rollout, *, requests_per_second: float, stable: float, candidate: float
) -> SimulationSettings:
    """One situation under these settings. Raises InvalidInput for what has no simulation."""
    shortest = max((step.min_duration.total_seconds() for step in rollout.steps), default=60.0)
    try:
        return SimulationSettings(
            requests_per_second=requests_per_second,
            metrics={METRIC: Rates(stable=stable, candidate=candidate)},
            plan=plan_for(rollout.analysis, weights=[step.weight for step in rollout.steps]),
            min_step_seconds=shortest,
            max_seconds=rollout.max_duration.total_seconds(),
        )
    except PlanError as error:
        raise InvalidInput(str(error)) from None


def plan_for(analysis: Analysis, *, weights: Sequence[int]) -> AnalysisPlan:
    """What the operator judges by; empty weights: the Auto ladder."""
    defaults = {rule.metric: rule for rule in default_rules()}
    rules = tuple(
        defaults[own.metric].overridden(
            floor=own.floor, pass_bound=own.pass_bound, required=own.required
        )
        for own in analysis.metrics
    )
    threshold = analysis.threshold
    return AnalysisPlan(
        mode=Mode(analysis.mode),
        alpha=analysis.alpha,
        ratio=analysis.ratio,
        rules=rules or tuple(defaults.values()),
        weights=tuple(weights),
        threshold=ThresholdPlan(
            interval_seconds=threshold.interval.total_seconds(),
            min_requests=threshold.min_requests,
            failure_limit=threshold.failure_limit,
            bounds=tuple(Bound(metric=b.metric, max=b.max) for b in threshold.bounds),
        ),
    )


def lines(result: SimulationResult) -> list[str]:
    """The situation in a line, then one row a rule."""
    settings = result.settings
    rates = settings.metrics[METRIC]
    plan = settings.resolved_plan()
    ladder = " → ".join(f"{weight} %" for weight in plan.weights)
    head = (
        f"{settings.requests_per_second:g} requests/s, stable {rates.stable:.3g} bad, candidate "
        f"{rates.candidate:.3g} bad; {ladder}; {result.rollouts} rollouts, seed {result.seed}"
    )
    return [head, *table(HEADERS, [_cells(row) for row in result_rows(result)])]


def _cells(row: Row) -> list[str]:
    return [
        row.rule,
        f"{row.promoted:.1%}",
        f"{row.aborted:.1%}",
        f"{row.undecided:.1%}",
        f"{row.minutes:.1f}",
        f"{row.minutes_p90:.1f}",
        f"{row.candidate_requests:.0f}",
        f"{row.bad_above_stable:.1f}",
    ]
