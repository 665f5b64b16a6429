"""docs/metrics.md: every metric with its labels and who reads it, from the code."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from slipway_contracts.metrics import CATALOGUE
from slipway_contracts.metrics.foreign import FOREIGN
from slipway_contracts.metrics.kinds import Label, MetricName, Owner
from slipway_dashboards.boards import BOARDS
from slipway_dashboards.reading import read
from slipway_dashboards.tables import table
from slipway_dashboards.vocabulary import vocabulary
from slipway_rules.files import files
from slipway_rules.kinds import Alert

HEAD = Path(__file__).parents[2] / "docs" / "metrics.head.md"
LISTED = 8
"""More values than this are counted, not listed."""
_SPAN = re.compile(r"\d+[mhd]$")
"""The same series over several spans is one reader."""
FOR_SCRIPTS: Mapping[str, str] = {}
"""Metric that no dashboard and no rule reads → for whom it is."""


def documents() -> dict[str, str]:
    """File name → content."""
    readers = _readers()
    lines = [HEAD.read_text("utf-8")]
    for owner in Owner:
        lines += _owned(owner, readers)
    return {"metrics.md": "\n".join([*lines, *_for_scripts(), *_foreign()])}


def _readers() -> dict[str, list[str]]:
    """Metric → dashboards, alerts and recorded series that read it, in order."""
    known = vocabulary()
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for reader, expr in _expressions():
        for family in read(expr, known).families:
            found[family][reader] = None
    return {family: list(readers) for family, readers in found.items()}


def _expressions() -> Iterator[tuple[str, str]]:
    for board in BOARDS:
        name = board.title.removeprefix("Slipway / ")
        yield from ((name, query.expr) for panel in board.panels for query in panel.queries)
        yield from ((name, mark.expr) for mark in board.marks)
        yield from ((name, choice.source) for choice in board.choices)
    for group in (group for groups in files().values() for group in groups):
        for rule in group.rules:
            name = rule.name if isinstance(rule, Alert) else _SPAN.sub("…", rule.record)
            yield f"`{name}`", rule.expr


def _owned(owner: Owner, readers: Mapping[str, list[str]]) -> Iterator[str]:
    yield f"## Of the {owner}\n"
    rows = (
        (f"`{metric.name}`", _kind(metric), _labels(metric.of), metric.help, _read(metric, readers))
        for metric in CATALOGUE
        if metric.owner is owner
    )
    yield from table(("Metric", "Type", "Labels", "What it says", "Read by"), rows)


def _kind(metric: MetricName) -> str:
    return f"{metric.kind}, {metric.unit}" if metric.unit else metric.kind


def _labels(labels: Iterable[Label]) -> str:
    return "; ".join(f"`{label.name}` ({_values(label)})" for label in labels)


def _values(label: Label) -> str:
    if len(label.values) > LISTED:
        return f"{len(label.values)} {label.name}s"
    return ", ".join(label.values) or f"up to {label.bound}"


def _read(metric: MetricName, readers: Mapping[str, list[str]]) -> str:
    return ", ".join(readers.get(metric.name, [])) or "scripts (below)"


def _for_scripts() -> Iterator[str]:
    yield "## For scripts\n"
    yield "Metrics that no dashboard and no rule reads, and for whom they are all the same.\n"
    rows = [(f"`{name}`", why) for name, why in FOR_SCRIPTS.items()]
    yield from table(("Metric", "Why"), rows or [("none", "each is read by something above")])


def _foreign() -> Iterator[str]:
    yield "## Of others\n"
    yield "What queries read and something else emits. A dashboard says which of these it needs.\n"
    by_exporter: defaultdict[str, list[str]] = defaultdict(list)
    for metric in FOREIGN:
        by_exporter[metric.exporter.value].append(f"`{metric.name}`")
    rows = ((exporter, ", ".join(names)) for exporter, names in by_exporter.items())
    yield from table(("Emitted by", "Metrics"), rows)
