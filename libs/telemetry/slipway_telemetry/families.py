"""Metrics of the catalogue with their samples, as plain data.

``Family`` is plain data: a name of the contracts and what is known of it now. ``page`` writes it as
text, ``client`` hands it to prometheus_client. Nobody gives a metric another type or other labels
than its name has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from slipway_contracts.metrics.kinds import MetricName
from slipway_telemetry.bounded import Names
from slipway_telemetry.buckets import Buckets

Sample = tuple[tuple[str, ...], float | Buckets]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """``samples``: label values in the order of the metric's labels, each combination once."""

    metric: MetricName
    samples: Iterable[Sample]


def gauge(metric: MetricName, value: float) -> Family:
    """A metric without labels."""
    return Family(metric=metric, samples=(((), value),))


def fitted(
    metric: MetricName,
    samples: Iterable[tuple[tuple[str, ...], float]],
    names: Names,
    *,
    merge: Callable[[float, float], float],
) -> Family:
    """A family whose open labels are bounded; ``merge`` joins what has one name then."""
    found: dict[tuple[str, ...], float] = {}
    for values, value in samples:
        shown = names.fit(metric.of, values)
        found[shown] = merge(found[shown], value) if shown in found else value
    return Family(metric=metric, samples=found.items())
