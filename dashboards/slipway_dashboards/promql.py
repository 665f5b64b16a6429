"""Queries from metric names: the few forms that the boards need, with Grafana's variables in them.

A metric is given as its declaration, never as text, so a renamed one cannot stay behind in a
query. Counters are summed over the processes that count; gauges say themselves how they add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from slipway_rules.recorded import RECORDED

WINDOW = "$__rate_interval"
OF_MODEL = 'model=~"$model"'
OF_VERSION = f'{OF_MODEL},version=~"$version"'
OF_TENANT = 'tenant=~"$tenant"'


class Named(Protocol):
    """A declared metric."""

    @property
    def name(self) -> str:
        """As it is exposed."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A series that a rule keeps."""

    name: str


def recorded(name: str) -> Recorded:
    """The recorded series of that name. ValueError where no rule keeps it."""
    if all(series.record != name for series in RECORDED):
        raise ValueError(f"no rule records {name}; see slipway_rules.recorded")
    return Recorded(name)


def of(metric: Named, *matchers: str, suffix: str = "") -> str:
    """``name{matchers}``."""
    inside = ",".join(matchers)
    return f"{metric.name}{suffix}{{{inside}}}" if inside else f"{metric.name}{suffix}"


def added(how: str, by: str, inner: str) -> str:
    """``sum by (a, b) (inner)``; without labels, over all."""
    return f"{how} by ({by}) ({inner})" if by else f"{how}({inner})"


def rate(metric: Named, *matchers: str, by: str = "", suffix: str = "") -> str:
    """A counter, a second, added up."""
    return added("sum", by, f"rate({of(metric, *matchers, suffix=suffix)}[{WINDOW}])")


def increase(metric: Named, *matchers: str, by: str = "", window: str = "$__range") -> str:
    """How much a counter grew in the time that is shown."""
    return added("sum", by, f"increase({of(metric, *matchers)}[{window}])")


def quantile(share: float, metric: Named, *matchers: str, by: str = "") -> str:
    """A quantile of a histogram, over all processes."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {rate(metric, *matchers, by=labels, suffix='_bucket')})"


def mean(metric: Named, *matchers: str, by: str = "") -> str:
    """A histogram's mean."""
    total = rate(metric, *matchers, by=by, suffix="_sum")
    return f"{total} / {rate(metric, *matchers, by=by, suffix='_count')}"


def share(part: str, whole: str) -> str:
    """``part / whole``; nothing where the whole is nothing."""
    return f"{part} / ({whole} > 0)"


def portion(part: str, whole: str) -> str:
    """``part / whole`` of counters, 0 where the part's has not been seen: it begins when first
    counted."""
    return f"({part} or {whole} * 0) / ({whole} > 0)"


def highest(metric: Named, *matchers: str, by: str = "") -> str:
    """A gauge that every process tells alike."""
    return added("max", by, of(metric, *matchers))


def total(metric: Named, *matchers: str, by: str = "") -> str:
    """A gauge that each process tells of itself."""
    return added("sum", by, of(metric, *matchers))


def stated(metric: Named, label: str, words: tuple[str, ...], *matchers: str, by: str) -> str:
    """A 0/1 gauge by ``label`` → the number of the word that is 1, for a state timeline."""
    held = [of(metric, *matchers, f'{label}="{word}"') for word in words]
    arms = [f"({series} == 1) * {number}" for number, series in enumerate(held)]
    return added("max", by, " or ".join(arms))
