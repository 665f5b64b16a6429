"""What a PromQL expression reads, and which labels its result has; what it names wrongly.

The parser is ``promql-parser``. Labels are followed upwards from the selectors: an aggregation by
a label that its input has not, or a legend that its result has not, is a mistake that Prometheus
would answer with nothing or an empty word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import promql_parser as promql

from slipway_dashboards.filling import filled
from slipway_dashboards.vocabulary import Series


@dataclass(slots=True, kw_only=True)
class Reading:
    """One expression, read."""

    families: set[str] = field(default_factory=set)
    """Metrics that it reads."""
    names: set[str] = field(default_factory=set)
    """Series that it reads."""
    labels: frozenset[str] = frozenset()
    """Labels that its result may have."""
    mistakes: list[str] = field(default_factory=list)


def read(expr: str, known: dict[str, Series]) -> Reading:
    """Parse and judge it. Never raises for a bad expression: the mistakes say what is wrong."""
    reading = Reading()
    try:
        tree = promql.parse(filled(expr))
    except ValueError as error:
        reading.mistakes.append(f"does not parse: {error}")
        return reading
    reading.labels = _labels(tree, reading, known)
    return reading


def _labels(node: Any, reading: Reading, known: dict[str, Series]) -> frozenset[str]:
    match node:
        case promql.VectorSelector():
            return _selected(node, reading, known)
        case promql.MatrixSelector():
            return _selected(node.vector_selector, reading, known)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return _labels(node.expr, reading, known)
        case promql.AggregateExpr():
            return _aggregated(node, reading, known)
        case promql.BinaryExpr():
            return _joined(node, reading, known)
        case promql.Call():
            return _called(node, reading, known)
        case _:
            return frozenset()


def _selected(
    node: promql.VectorSelector, reading: Reading, known: dict[str, Series]
) -> frozenset[str]:
    name = node.name or ""
    if name not in known:
        reading.mistakes.append(f"nobody emits {name or 'a series without a name'}")
        return frozenset()
    series = known[name]
    reading.names.add(name)
    reading.families.add(series.family)
    for matcher in node.matchers.matchers:
        reading.mistakes += _mismatches(series, matcher)
    return series.labels


def _mismatches(series: Series, matcher: promql.Matcher) -> Iterator[str]:
    if matcher.name not in series.labels:
        yield f"{series.name} has no label {matcher.name}"
    possible = series.values.get(matcher.name)
    if possible is None or matcher.value == ".*":
        return
    if matcher.op in (promql.MatchOp.Equal, promql.MatchOp.NotEqual):
        wrong = {matcher.value} - possible
    else:
        # A dead alternative would go unnoticed beside a living one.
        wrong = {
            part
            for part in matcher.value.split("|")
            if not any(re.fullmatch(part, value) for value in possible)
        }
    for value in sorted(wrong - {""}):
        yield f"{series.name} never has {matcher.name}={value!r}; values are {sorted(possible)}"


def _aggregated(
    node: promql.AggregateExpr, reading: Reading, known: dict[str, Series]
) -> frozenset[str]:
    inner = _labels(node.expr, reading, known)
    modifier = node.modifier
    named = frozenset(modifier.labels if modifier else ())
    if not reading.mistakes:
        reading.mistakes += [f"groups by {label}, which is not there" for label in named - inner]
    if str(node.op) in {"topk", "bottomk"}:
        return inner
    if modifier is None:
        return named
    return named if modifier.type == promql.AggModifierType.By else inner - named


def _joined(node: promql.BinaryExpr, reading: Reading, known: dict[str, Series]) -> frozenset[str]:
    left = _labels(node.lhs, reading, known)
    right = _labels(node.rhs, reading, known)
    modifier = node.modifier
    if modifier is not None and modifier.matching is not None and not reading.mistakes:
        both = left | right
        reading.mistakes += [
            f"matches on {label}, which neither side has"
            for label in modifier.matching.labels
            if label not in both
        ]
    op = str(node.op)
    if op == "or":
        return left | right
    if op in {"and", "unless"}:
        return left
    brought = frozenset((modifier.group_labels or ()) if modifier else ())
    if _is_scalar(node.lhs):
        return right
    if modifier is not None and modifier.card == promql.VectorMatchCardinality.OneToMany:
        return right | brought
    return left | brought


def _is_scalar(node: Any) -> bool:
    if isinstance(node, promql.ParenExpr | promql.UnaryExpr):
        return _is_scalar(node.expr)
    if isinstance(node, promql.BinaryExpr):
        return _is_scalar(node.lhs) and _is_scalar(node.rhs)
    if isinstance(node, promql.Call):
        return str(node.func.name) in {"scalar", "time", "pi"}
    return isinstance(node, promql.NumberLiteral)


def _called(node: promql.Call, reading: Reading, known: dict[str, Series]) -> frozenset[str]:
    found = [_labels(argument, reading, known) for argument in node.args]
    merged = frozenset[str]().union(*found)
    match str(node.func.name):
        case "histogram_quantile":
            if "le" not in merged and not reading.mistakes:
                reading.mistakes.append("histogram_quantile without le")
            return merged - {"le"}
        case "label_replace" | "label_join":
            target = node.args[1]
            added = {target.val} if isinstance(target, promql.StringLiteral) else set()
            return merged | added
        case "vector" | "scalar" | "time":
            return frozenset()
        case _:
            return merged


def legend_labels(text: str) -> set[str]:
    """Labels that a legend or an annotation of Grafana's names: ``{{label}}``."""
    return set(re.findall(r"\{\{\s*(\w+)\s*\}\}", text))


def alert_labels(text: str) -> set[str]:
    """Labels that an alert's annotation names: ``{{ $labels.label }}``."""
    return set(re.findall(r"\$labels\.(\w+)", text))
