"""What would my rollout do? The product's own judgement on synthetic traffic, many times over.

Answers before a rollout starts: how long, how many requests, how many bad answers, and the odds of
promote, abort and undecided, beside the two fixed rules. Seeded, so the same call gives the same
table. Not simulated: gauges, Error, the watch after promotion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from slipway_verdicts.counts import TICK_SECONDS
from slipway_verdicts.errors import PlanError
from slipway_verdicts.fixed_rules import IntervalRule, StepRule
from slipway_verdicts.grid import Floats
from slipway_verdicts.ladder import auto_ladder
from slipway_verdicts.plan import AnalysisPlan, MetricRule, Mode, default_rules
from slipway_verdicts.policies import Policy, SequentialPolicy, ThresholdPolicy
from slipway_verdicts.sums import BAD, CANDIDATE, Bools, N
from slipway_verdicts.traffic import ClientModel, Load, Outage, make_traffic

_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Share of bad answers of each arm, in [0, 1]."""

    stable: float
    candidate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationSettings:
    """One situation.

    ``metrics``: what the traffic shows; the plan is narrowed to these, as a metric without
    eligible requests is left out, but each keeps the α that it has in the plan. A metric that the
    plan lacks gets its default bounds, an unknown one those of ``error``.
    ``plan.weights`` empty: the Auto ladder for ``requests_per_second`` (over both arms).
    """

    requests_per_second: float
    metrics: Mapping[str, Rates]
    plan: AnalysisPlan = field(default_factory=AnalysisPlan)
    clients: ClientModel = ClientModel.INDEPENDENT
    outages: tuple[Outage, ...] = ()
    min_step_seconds: float = 60.0
    max_seconds: float = 7200.0

    def __post_init__(self) -> None:
        if not self.metrics:
            raise PlanError("metrics is empty; give at least one, e.g. error")
        if self.requests_per_second <= 0:
            raise PlanError("requests_per_second must be above 0")
        for metric, rates in self.metrics.items():
            for arm, rate in (("stable", rates.stable), ("candidate", rates.candidate)):
                if not 0 <= rate <= 1:
                    raise PlanError(f"{metric}.{arm} is {rate}; give a rate from 0 to 1")

    def resolved_plan(self) -> AnalysisPlan:
        """The plan as it is judged: the traffic's metrics with the plan's α each, and a ladder."""
        own = {rule.metric: rule for rule in (*default_rules(), *self.plan.rules)}
        rules = tuple(own.get(metric) or _like_error(metric) for metric in self.metrics)
        ladder = tuple(rung.weight for rung in auto_ladder(self.requests_per_second))
        return AnalysisPlan(
            mode=self.plan.mode,
            alpha=min(0.5, self.plan.metric_alpha * len(rules)),
            ratio=self.plan.ratio,
            rules=rules,
            weights=self.plan.weights or ladder,
            threshold=self.plan.threshold,
        )

    def load(self) -> Load:
        """The traffic's own form of it."""
        rates = [(each.candidate, each.stable) for each in self.metrics.values()]
        return Load(
            requests_per_second=self.requests_per_second,
            rates=np.array(rates),
            outages=self.outages,
        )


class Rule(StrEnum):
    """Who decided."""

    SEQUENTIAL = "sequential"
    THRESHOLD = "threshold (the plan's bounds)"
    INTERVAL = "interval rule (60 s, ≥ 99 %, 5 strikes, +10 % to 50 %)"
    STEPS = "step rule (4 × 5 min, ≥ 99 %, 3 failures)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """One array entry a rollout. ``end`` in seconds; requests and bad answers until then.

    ``excess``: the candidate's bad answers beyond what the stable version would have given to the
    same requests, over all metrics.
    """

    promoted: Bools
    aborted: Bools
    end: Floats
    requests: Floats
    excess: Floats

    @property
    def undecided(self) -> Bools:
        """Neither, at ``max_seconds``."""
        return ~(self.promoted | self.aborted)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationResult:
    """All rules on the same situation."""

    settings: SimulationSettings
    seed: int
    rollouts: int
    outcomes: Mapping[Rule, Outcomes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One rule's line: odds in [0, 1], means over the rollouts, quantiles of time."""

    rule: str
    promoted: float
    aborted: float
    undecided: float
    minutes: float
    minutes_median: float
    minutes_p90: float
    candidate_requests: float
    bad_above_stable: float


def simulate(
    settings: SimulationSettings,
    *,
    seed: int = 0,
    rollouts: int = 200,
    rules: tuple[Rule, ...] | None = None,
) -> SimulationResult:
    """Run ``rollouts`` rollouts under each rule. Each rule has traffic of its own from ``seed``.

    ``rules`` None: all, ``THRESHOLD`` only if that is the plan's mode.
    """
    if rules is None:
        by_bounds = settings.plan.mode is Mode.THRESHOLD
        rules = tuple(rule for rule in Rule if by_bounds or rule is not Rule.THRESHOLD)
    outcomes = {}
    for index, rule in enumerate(Rule):
        if rule in rules:
            batches = [
                _run(settings, rule, size, np.random.default_rng((seed, index, number)))
                for number, size in enumerate(_batches(rollouts))
            ]
            outcomes[rule] = _joined(batches)
    return SimulationResult(settings=settings, seed=seed, rollouts=rollouts, outcomes=outcomes)


def table(result: SimulationResult) -> tuple[Row, ...]:
    """One row a rule, for a person to read."""
    return tuple(
        Row(
            rule=rule.value,
            promoted=float(got.promoted.mean()),
            aborted=float(got.aborted.mean()),
            undecided=float(got.undecided.mean()),
            minutes=float(got.end.mean()) / 60,
            minutes_median=float(np.median(got.end)) / 60,
            minutes_p90=float(np.quantile(got.end, 0.9)) / 60,
            candidate_requests=float(got.requests.mean()),
            bad_above_stable=float(got.excess.mean()),
        )
        for rule, got in result.outcomes.items()
    )


def _run(
    settings: SimulationSettings, rule: Rule, rollouts: int, rng: np.random.Generator
) -> Outcomes:
    traffic = make_traffic(settings.clients, settings.load(), rollouts=rollouts, rng=rng)
    policy = _policy(settings, rule, before=traffic.stable_hour(rng, rollouts))
    usual = traffic.stable_rate()
    alive = np.arange(rollouts)
    promoted, aborted = np.zeros(rollouts, dtype=bool), np.zeros(rollouts, dtype=bool)
    end, requests, excess = (np.zeros(rollouts) for _ in range(3))
    for tick in range(int(settings.max_seconds / TICK_SECONDS)):
        counts = traffic.tick(rng, policy.weights, second=tick * TICK_SECONDS)
        arm = counts[:, :, CANDIDATE]
        end[alive] += TICK_SECONDS
        requests[alive] += arm[..., N].max(axis=1)
        excess[alive] += (arm[..., BAD] - arm[..., N] * usual).sum(axis=1)
        move = policy.tick(counts)
        aborted[alive] = move.aborted
        promoted[alive] = move.promoted & ~move.aborted
        running = ~(promoted | aborted)[alive]
        traffic.enter_step(move.stepped)
        if not running.all():
            alive = alive[running]
            policy.keep(running)
            traffic.keep(running)
        if not alive.size:
            break
    return Outcomes(promoted=promoted, aborted=aborted, end=end, requests=requests, excess=excess)


def _policy(settings: SimulationSettings, rule: Rule, *, before: Floats) -> Policy:
    match rule:
        case Rule.SEQUENTIAL:
            return SequentialPolicy(
                settings.resolved_plan(),
                len(before),
                min_step_seconds=settings.min_step_seconds,
                before=before,
            )
        case Rule.THRESHOLD:
            return ThresholdPolicy(
                settings.resolved_plan(),
                len(before),
                metrics=tuple(settings.metrics),
                min_step_seconds=settings.min_step_seconds,
            )
        case Rule.INTERVAL:
            return IntervalRule(len(before))
        case Rule.STEPS:
            return StepRule(len(before))


def _batches(rollouts: int) -> list[int]:
    """Sizes that keep a batch's arrays small."""
    return [min(_BATCH, rollouts - start) for start in range(0, rollouts, _BATCH)]


def _joined(parts: list[Outcomes]) -> Outcomes:
    return Outcomes(
        promoted=np.concatenate([part.promoted for part in parts]),
        aborted=np.concatenate([part.aborted for part in parts]),
        end=np.concatenate([part.end for part in parts]),
        requests=np.concatenate([part.requests for part in parts]),
        excess=np.concatenate([part.excess for part in parts]),
    )


def _like_error(metric: str) -> MetricRule:
    return MetricRule(metric=metric, floor=0.01, pass_bound=0.02)
