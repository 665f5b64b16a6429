"""The demo's report: one JSON object for scripts, one table for people, from the same evidence.

Pure but for printing the table. Nothing in the report is a constant: what was not seen is null, 0
or false.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from slipway_cli.demo.cast import VERSIONS
from slipway_cli.demo.expectations import expect, has_condition, seconds_to_alert
from slipway_cli.demo.findings import Evidence, Findings, find
from slipway_cli.demo.timeline import relative
from slipway_contracts.conditions import ConditionStatus, ConditionType, Reason, find_condition
from slipway_contracts.model_version import ModelVersion

GIB = 2**30
# In the order in which a version passes them: the first that is False says why it stopped.
_ORDER = (
    ConditionType.ACCEPTED,
    ConditionType.TRAINING_COMPLETE,
    ConditionType.ARTIFACT_VERIFIED,
    ConditionType.EVALUATION_PASSED,
    ConditionType.ANALYSIS_HEALTHY,
    ConditionType.CANDIDATE_READY,
    ConditionType.PROMOTED,
    ConditionType.READY,
)

Report = dict[str, Any]


def assemble(evidence: Evidence) -> Report:
    """The report as the issue lists it, plus ``problem`` where the story ended early."""
    findings = find(evidence)
    expectations = expect(evidence, findings)
    report: Report = {
        "ok": all(expectations.values()) and not evidence.problem,
        "seconds": _seconds(evidence),
        "peak_pss_gib": round(evidence.peak_pss_bytes / GIB, 2),
        "versions": {
            name: describe(evidence, evidence.versions[name])
            for name in VERSIONS
            if name in evidence.versions
        },
        "requests": _requests(evidence, findings),
        "ledger": {
            "missing": len(findings.join.missing),
            "duplicates": len(findings.join.duplicates),
            "version_mismatches": len(findings.join.version_mismatches),
            "sticky_violations": len(findings.sticky),
        },
        "rollback_seconds": _rounded(findings.rollback.seconds, digits=3),
        "bad_answers_served": len(findings.bad_answers),
        "expectations": expectations,
    }
    if evidence.watched:
        report["alerts"] = _alerts(evidence, findings)
    return report | ({"problem": evidence.problem} if evidence.problem else {})


def line(report: Report) -> str:
    """The report as one line of JSON."""
    return json.dumps(report, ensure_ascii=False, separators=(", ", ": "))


def describe(evidence: Evidence, version: ModelVersion) -> dict[str, Any]:
    """One version: how it ended, why, and its weight over time (seconds since the start)."""
    status = version.status
    judged = find_condition(status.conditions, ConditionType.EVALUATION_PASSED)
    gates = [
        gate
        for evaluation in (status.evaluation, status.probe)
        if evaluation is not None
        for gate in evaluation.gates
    ]
    return {
        "phase": status.phase.value,
        "reason": reason_of(version),
        "trained": has_condition(version, ConditionType.TRAINING_COMPLETE),
        "evaluated": judged is not None and bool(gates),
        "gates": f"{sum(gate.passed for gate in gates)}/{len(gates)}",
        "weights": relative(evidence.timeline.weights_of(version.metadata.name), evidence.made_at),
        "decided_by": decision_of(version),
    }


def reason_of(version: ModelVersion) -> str:
    """How the attempt ended, else what decided the rollout, else the condition that stopped it."""
    status = version.status
    ending = status.outcome or status.ending
    if ending is not None:
        return ending.reason.value
    if status.rollout is not None and status.rollout.decided_by is not None:
        return status.rollout.decided_by.value
    found = [find_condition(status.conditions, kind) for kind in _ORDER]
    present = [condition for condition in found if condition is not None]
    failing = [c for c in present if c.status is ConditionStatus.FALSE]
    chosen = (failing or present[-1:])[:1]
    return chosen[0].reason.value if chosen else ""


def decision_of(version: ModelVersion) -> str:
    """The evidence that decided, in the operator's words, with what each step was judged on.

    Empty while nothing was decided.
    """
    status = version.status
    ending = status.ending or status.outcome
    rollout = status.rollout
    if ending is not None and ending.message:
        said = ending.message
    elif rollout is not None and rollout.decided_by is not None:
        # The rollout's own message goes on to tell of the watch after the promotion.
        promoted = find_condition(status.conditions, ConditionType.PROMOTED)
        said = promoted.message if promoted is not None else rollout.message
    else:
        judged = find_condition(status.conditions, ConditionType.EVALUATION_PASSED)
        is_rejected = judged is not None and judged.reason is Reason.GATE_FAILED
        return judged.message if judged is not None and is_rejected else ""
    steps = "; ".join(
        f"{step.weight} %: {step.requests} requests, {step.bad} bad"
        for step in (rollout.steps if rollout is not None else ())
        if step.requests
    )
    return f"{said} ({steps})" if steps else said


def _seconds(evidence: Evidence) -> dict[str, float | None]:
    first = evidence.first_answer_at
    return {
        "environment": _rounded(evidence.started_at - evidence.made_at),
        "first_answer": _rounded(None if first is None else first - evidence.started_at),
        "total": _rounded(evidence.ended_at - evidence.made_at),
    }


def _alerts(evidence: Evidence, findings: Findings) -> dict[str, Any]:
    """``after``: seconds since the worse version's first bad answer; negative: all was well."""
    bad = findings.first_bad_at
    return {
        "seconds_to_first": _rounded(seconds_to_alert(evidence, findings)),
        "fired": [
            {
                "name": alarm.name,
                "severity": alarm.severity,
                "version": alarm.version,
                "after": _rounded(None if bad is None else alarm.began - bad),
            }
            for alarm in evidence.alarms or ()
        ],
    }


def _requests(evidence: Evidence, findings: Findings) -> dict[str, Any]:
    counts = Counter(entry.version or "none" for entry in evidence.entries)
    return {
        "sent": len(evidence.entries),
        "failed": len(findings.failed),
        "failed_on_stable": len(findings.failed_on_stable),
        "by_version": dict(sorted(counts.items())),
    }


def _rounded(value: float | None, *, digits: int = 1) -> float | None:
    return None if value is None else round(value, digits)


def show(console: Console, report: Report) -> None:
    """The summary for people."""
    versions = Table(title="What became of each version", title_justify="left")
    for column in ("version", "phase", "reason", "gates", "weights over time"):
        versions.add_column(column)
    for name, body in report["versions"].items():
        weights = " → ".join(f"{weight:g} % at {t:.0f} s" for t, weight in body["weights"])
        versions.add_row(name, body["phase"], body["reason"], body["gates"], weights or "none")
    console.print(versions)
    for name, body in report["versions"].items():
        if body["decided_by"]:
            said = f"[bold]{name}[/bold]  {escape(body['decided_by'])}"
            console.print(said, soft_wrap=True, highlight=False)
    figures = Table(show_header=False, title="Figures", title_justify="left")
    for name, value in _figures(report):
        figures.add_row(name, value)
    console.print(figures)
    outcome = Table(title="Expectations", title_justify="left", show_header=False)
    for name, met in report["expectations"].items():
        mark = "[green]held[/green]" if met else "[red]broken[/red]"
        outcome.add_row(mark, name.replace("_", " "))
    console.print(outcome)


def _figures(report: Report) -> list[tuple[str, str]]:
    seconds, requests, ledger = report["seconds"], report["requests"], report["ledger"]
    return [
        ("environment, first answer, everything",
         " · ".join(_shown(seconds[k], "s") for k in ("environment", "first_answer", "total"))),
        ("peak memory (PSS)", f"{report['peak_pss_gib']} GiB"),
        ("requests", f"{requests['sent']} sent, {requests['failed']} bad, "
                     f"{requests['failed_on_stable']} of them on the stable version"),
        ("answered by", ", ".join(f"{v} {n}" for v, n in requests["by_version"].items())),
        ("log against ledger", ", ".join(f"{n} {k.replace('_', ' ')}" for k, n in ledger.items())),
        ("verdict to all gateways", _shown(report["rollback_seconds"], "s")),
        ("bad answers by v3 until then", str(report["bad_answers_served"])),
        *_alert_figures(report),
    ]  # fmt: skip


def _alert_figures(report: Report) -> list[tuple[str, str]]:
    alerts = report.get("alerts")
    if alerts is None:
        return []
    fired = ", ".join(f"{a['name']} {_shown(a['after'], 's')}" for a in alerts["fired"])
    return [
        ("v3's first bad answer to an alert", _shown(alerts["seconds_to_first"], "s")),
        ("alerts, from that answer on", fired or "none"),
    ]


def _shown(value: float | None, unit: str) -> str:
    return "not seen" if value is None else f"{value:g} {unit}"
