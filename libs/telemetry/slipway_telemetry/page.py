"""Families → Prometheus' text, in pieces, and the same as plain data.

Written by hand because a gateway serves its page between requests: prometheus_client takes some
ten times as long for a page of ten thousand samples, and in one piece. Each piece is whole lines,
small enough that whoever writes them may let others run in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from slipway_contracts.metrics.kinds import MetricName
from slipway_telemetry.buckets import Buckets
from slipway_telemetry.families import Family

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_HELP_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n"})


def pieces(families: Iterable[Family]) -> Iterator[str]:
    """The page: a head for each family, then a piece for each sample."""
    for family in families:
        metric = family.metric
        shown = _labels(metric)
        yield (
            f"# HELP {metric.name} {metric.help.translate(_HELP_ESCAPES)}\n"
            f"# TYPE {metric.name} {metric.kind}\n"
        )
        bounds = tuple(str(float(bound)) for bound in metric.buckets)
        for values, value in family.samples:
            labels = shown(values)
            if isinstance(value, Buckets):
                yield _histogram(metric.name, labels, value, bounds)
            elif labels:
                yield f"{metric.name}{{{labels}}} {float(value)}\n"
            else:
                yield f"{metric.name} {float(value)}\n"


def plain(families: Iterable[Family]) -> dict[str, list[dict[str, Any]]]:
    """``{metric: [{labels, value}]}``; a histogram gives its count and sum."""
    out: dict[str, list[dict[str, Any]]] = {}
    for family in families:
        name = family.metric.name
        for values, value in family.samples:
            labels = dict(zip(family.metric.labels, values, strict=True))
            told: dict[str, float]
            if isinstance(value, Buckets):
                told = {f"{name}_count": sum(value.counts), f"{name}_sum": value.total}
            else:
                told = {name: value}
            for sample, number in told.items():
                out.setdefault(sample, []).append({"labels": labels, "value": number})
    return out


def _labels(metric: MetricName) -> Callable[[tuple[str, ...]], str]:
    """Values in the metric's order → labels by name, as other exporters write them."""
    order = sorted(range(len(metric.of)), key=lambda i: metric.of[i].name)
    parts = [(i, f'{metric.of[i].name}="') for i in order]

    def shown(values: tuple[str, ...]) -> str:
        return ",".join([f'{name}{_escaped(values[i])}"' for i, name in parts])

    return shown


# A page says the same few hundred names thousands of times.
@lru_cache(maxsize=4096)
def _escaped(value: str) -> str:
    return value.translate(_ESCAPES)


def _histogram(name: str, labels: str, value: Buckets, bounds: tuple[str, ...]) -> str:
    start = f'{name}_bucket{{{labels},le="' if labels else f'{name}_bucket{{le="'
    reached, lines = 0, []
    for bound, count in zip(bounds, value.counts, strict=False):
        reached += count
        lines.append(f'{start}{bound}"}} {reached}.0\n')
    reached += value.counts[-1]
    braced = f"{{{labels}}}" if labels else ""
    lines.append(
        f'{start}+Inf"}} {reached}.0\n{name}_count{braced} {reached}.0\n'
        f"{name}_sum{braced} {float(value.total)}\n"
    )
    return "".join(lines)
