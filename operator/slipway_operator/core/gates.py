"""A report and the gates → passed, failed or broken. Pure.

A gate never passes on zero samples or on failed requests. Where nothing at all was measured the
evaluation is broken (machinery), which is not the same as a gate that said no.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from slipway_contracts.evaluation import (
    Evaluation,
    EvaluationReport,
    Figure,
    Gate,
    GateResult,
    Suite,
    SuiteResult,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOutcome:
    """``broken`` is empty, or says what kept the gates from being judged."""

    results: tuple[GateResult, ...] = ()
    broken: str = ""

    @property
    def passed(self) -> int:
        return sum(result.passed for result in self.results)

    @property
    def failures(self) -> tuple[GateResult, ...]:
        return tuple(result for result in self.results if not result.passed)


def judge_gates(
    evaluation: Evaluation, report: EvaluationReport, *, suites: tuple[Suite, ...]
) -> GateOutcome:
    """Judge the gates of ``suites`` on ``report``."""
    found = {result.suite: result for result in report.suites}
    broken = [problem for suite in suites if (problem := _problem(suite, found.get(suite.name)))]
    if broken:
        return GateOutcome(broken="; ".join(broken))
    names = {suite.name for suite in suites}
    gates = (gate for gate in evaluation.gates if gate.metric.split(".")[0] in names)
    return GateOutcome(results=tuple(_judge(gate, found) for gate in gates))


def _problem(suite: Suite, result: SuiteResult | None) -> str:
    if result is None:
        return f"suite {suite.name} is missing from the report"
    if not any(figure.samples > 0 for figure in result.candidate.values()):
        return f"suite {suite.name} has no sample that succeeded"
    return ""


def _judge(gate: Gate, found: dict[str, SuiteResult]) -> GateResult:
    suite, metric = gate.metric.split(".")
    figure = found[suite].candidate.get(metric)
    baseline = found[suite].baseline.get(metric)
    compared = baseline.value if baseline is not None and _usable(baseline) else None
    if figure is None:
        return GateResult(
            metric=gate.metric, passed=False, message=f"suite {suite} does not measure {metric}"
        )
    message, passed = _verdict(gate, figure, compared=compared)
    return GateResult(
        metric=gate.metric,
        passed=passed,
        value=figure.value if _finite(figure.value) else None,
        baseline=compared,
        samples=figure.samples,
        message=message,
    )


def _verdict(gate: Gate, figure: Figure, *, compared: float | None) -> tuple[str, bool]:
    if figure.samples == 0 or figure.value is None or not _finite(figure.value):
        return f"no usable value from {figure.samples} samples", False
    if figure.failed:
        return f"{figure.failed} of {figure.samples + figure.failed} requests failed", False
    broken = [*_absolute(gate, figure.value), *_relative(gate, figure.value, compared=compared)]
    if broken:
        return "; ".join(broken), False
    relative = gate.max_relative_increase is not None or gate.max_relative_decrease is not None
    if relative and compared is None:
        return "the relative bound was skipped: there is no baseline figure", True
    return "", True


def _absolute(gate: Gate, value: float) -> list[str]:
    problems = []
    if gate.max is not None and value > gate.max:
        problems.append(f"{value:.6g} is above max {gate.max:.6g}")
    if gate.min is not None and value < gate.min:
        problems.append(f"{value:.6g} is below min {gate.min:.6g}")
    return problems


def _relative(gate: Gate, value: float, *, compared: float | None) -> list[str]:
    """Relative to the baseline's size, so that a negative figure keeps the bound's direction."""
    if compared is None:
        return []
    problems, size = [], abs(compared)
    if gate.max_relative_increase is not None:
        bound = compared + size * gate.max_relative_increase
        if value > bound:
            problems.append(f"{value:.6g} is above {bound:.6g}, the baseline's {compared:.6g} and "
                            f"{gate.max_relative_increase:.0%} more")  # fmt: skip
    if gate.max_relative_decrease is not None:
        bound = compared - size * gate.max_relative_decrease
        if value < bound:
            problems.append(f"{value:.6g} is below {bound:.6g}, the baseline's {compared:.6g} and "
                            f"{gate.max_relative_decrease:.0%} less")  # fmt: skip
    return problems


def _usable(figure: Figure) -> bool:
    return figure.samples > 0 and _finite(figure.value)


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
