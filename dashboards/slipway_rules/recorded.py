"""Recorded series that dashboards, alerts and people use: the questions that are asked often.

``RECORDED`` is the whole list, with the SLOs' own. Dashboards may use any of them.
"""

from __future__ import annotations

from slipway_rules import slos
from slipway_rules.kinds import Group, RecordedSeries

_OF_VERSION = ("model", "version")


def _quantile(what: str, metric: str, quantile: float, says: str) -> RecordedSeries:
    return RecordedSeries(
        record=f"slipway:{what}_seconds:p{round(quantile * 100)}_5m",
        expr=f"histogram_quantile({quantile}, "
        f"sum by (namespace, model, version, le) (rate({metric}_bucket[5m])))",
        help=says,
        of=_OF_VERSION,
    )


def serving() -> Group:
    """By version: what its attempts are like."""
    return Group(
        name="slipway-recorded-serving",
        rules=(
            RecordedSeries(
                record="slipway:requests:rate5m",
                expr="sum by (namespace, model, version, outcome) "
                "(rate(inference_requests_total[5m]))",
                help="Attempts a second, by version and outcome.",
                of=(*_OF_VERSION, "outcome"),
            ),
            RecordedSeries(
                record="slipway:errors:ratio_rate5m",
                expr='sum by (namespace, model, version) (slipway:requests:rate5m{outcome="error"})'
                "\n/\n(sum by (namespace, model, version) (slipway:requests:rate5m) > 0)",
                help="Share of a version's attempts that failed.",
                of=_OF_VERSION,
            ),
            RecordedSeries(
                record="slipway:tokens:rate5m",
                expr="sum by (namespace, model, version, direction) "
                "(rate(slipway_tokens_total[5m]))",
                help="Tokens a second, by version and direction.",
                of=(*_OF_VERSION, "direction"),
            ),
            _quantile("ttft", "slipway_time_to_first_token_seconds", 0.95, "First byte, p95."),
            _quantile("latency", "inference_latency_seconds", 0.5, "Whole answer, median."),
            _quantile("latency", "inference_latency_seconds", 0.95, "Whole answer, p95."),
            _quantile("inter_token", "slipway_inter_token_seconds", 0.95, "Between tokens, p95."),
        ),
    )


def queue() -> Group:
    """Every worker tells the whole queue: the highest counts, never the sum."""
    return Group(
        name="slipway-recorded-queue",
        rules=(
            RecordedSeries(
                record="slipway:jobs:max",
                expr="max by (namespace, kind, state) (slipway_jobs)",
                help="Jobs, by kind and state, told once.",
                of=("kind", "state"),
            ),
            RecordedSeries(
                record="slipway:jobs_oldest_seconds:max",
                expr="max by (namespace, kind) (slipway_jobs_oldest_seconds)",
                help="Age of the oldest job that may run and does not, by kind.",
                of=("kind",),
            ),
        ),
    )


def groups() -> tuple[Group, ...]:
    """What the file ``recorded.yaml`` holds."""
    return (serving(), queue())


def _series() -> tuple[RecordedSeries, ...]:
    every = (*groups(), slos.targets(), *slos.recorded())
    rules = (rule for group in every for rule in group.rules)
    return tuple(rule for rule in rules if isinstance(rule, RecordedSeries))


RECORDED: tuple[RecordedSeries, ...] = _series()
