"""The words that a query may use: each series that something emits or records, with its labels.

From the catalogue (ours), ``foreign`` (others') and the recorded series. Nothing else exists: a
query that names anything more can only be empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slipway_contracts.metrics import CATALOGUE
from slipway_contracts.metrics.foreign import ENGINE_LABELS, FOREIGN, TARGET_LABELS, Exporter
from slipway_contracts.metrics.kinds import Label, MetricName
from slipway_rules.recorded import RECORDED

_ENGINES = {Exporter.RAY, Exporter.VLLM_IN_RAY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One name as it stands in Prometheus. ``family`` is the metric it belongs to."""

    name: str
    family: str
    labels: frozenset[str]
    values: dict[str, frozenset[str]]
    """Label → all values that it can have; a label that is not here can have any."""


def vocabulary() -> dict[str, Series]:
    """Name → series."""
    return {series.name: series for series in _all()}


def _all() -> Iterator[Series]:
    for ours in CATALOGUE:
        yield from _family(ours.name, ours.kind, ours.of, _buckets(ours))
    for theirs in FOREIGN:
        added = ENGINE_LABELS if theirs.exporter in _ENGINES else ()
        yield from _family(theirs.name, theirs.kind, theirs.of, frozenset(), added=added)
    yield from _recorded()


def _recorded() -> Iterator[Series]:
    """One a name: several rules may keep series of one name, with different labels."""
    for name in sorted({kept.record for kept in RECORDED}):
        rules = [kept for kept in RECORDED if kept.record == name]
        labels = frozenset(label for rule in rules for label in rule.of)
        yield Series(name=name, family=name, labels=labels | {"namespace"}, values={})


def _buckets(metric: MetricName) -> frozenset[str]:
    return frozenset([*(str(float(bound)) for bound in metric.buckets), "+Inf"])


def _family(
    name: str,
    kind: str,
    of: tuple[Label, ...],
    bounds: frozenset[str],
    *,
    added: tuple[str, ...] = (),
) -> Iterator[Series]:
    labels = frozenset([*(label.name for label in of), *TARGET_LABELS, *added])
    values = {label.name: frozenset(label.values) for label in of if label.values}
    if kind != "histogram":
        yield Series(name=name, family=name, labels=labels, values=values)
        return
    for suffix in ("_sum", "_count"):
        yield Series(name=name + suffix, family=name, labels=labels, values=values)
    yield Series(
        name=f"{name}_bucket",
        family=name,
        labels=labels | {"le"},
        values=values | ({"le": bounds} if bounds else {}),
    )
