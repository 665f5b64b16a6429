"""The rate above which a metric speaks against a candidate, as the analysis settings have it.

Sequential: worse than stable times ``ratio`` *and* than the floor, so the higher of the two.
Threshold: the plain bound. The verdict needs evidence for that, not just a rate above it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway_contracts.rollout import Analysis
from slipway_verdicts.plan import default_rules


def fails_above(metric: Mapping[str, Any], analysis: Analysis) -> float | None:
    """The bound for one judged metric (a body of ``measurements``); None where there is none."""
    name = str(metric.get("metric", ""))
    if analysis.mode == "Threshold":
        return next((b.max for b in analysis.threshold.bounds if b.metric == name), None)
    floor = _floor(name, analysis)
    if floor is None:
        return None
    stable = rate(metric, "stable")
    return min(1.0, max(floor, analysis.ratio * stable)) if stable is not None else floor


def rate(metric: Mapping[str, Any], side: str) -> float | None:
    """Bad events of all requests of one side; None without requests."""
    requests, bad = metric.get(f"{side}_n") or 0, metric.get(f"{side}_bad") or 0
    return bad / requests if requests else None


def _floor(name: str, analysis: Analysis) -> float | None:
    own = next(
        (r.floor for r in analysis.metrics if r.metric == name and r.floor is not None), None
    )
    return (
        own
        if own is not None
        else next((rule.floor for rule in default_rules() if rule.metric == name), None)
    )
