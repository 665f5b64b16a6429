"""The report's sections: a heading each, then prose, tables and drawings. Escapes all text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from slipway_cli.explain.figures import count
from slipway_cli.render import NONE, moment, to_yaml
from slipway_cli.report import plots
from slipway_cli.report.material import Material
from slipway_contracts.evaluation import Gate, GateResult
from slipway_contracts.model_version import EvaluationStatus


def sections(material: Material) -> Iterator[str]:
    """Those that have something to say."""
    yield _section("verdict", "Verdict", _verdict(material))
    yield _section("timeline-section", "Timeline", plots.timeline(material) + _steps(material))
    yield _section("training-section", "Training", plots.training_curve(material))
    yield _section("evaluation", "Evaluation", _evaluation(material))
    yield _section("canary", "Canary", "".join(plots.metric_plots(material)))
    yield _section("traffic-section", "Traffic", plots.traffic(material))
    yield _section("lineage", "Lineage", _lineage(material))
    yield _section("conditions", "Conditions", _conditions(material))
    yield _section("events", "Events", _events(material))
    yield _section("spec", "Spec", f"<pre>{escape(to_yaml(material.version.spec.sparse()))}</pre>")


def _section(key: str, title: str, body: str) -> str:
    if not body:
        return ""
    return f'<section id="{key}"><h2>{escape(title)}</h2>{body}</section>'


def _verdict(material: Material) -> str:
    said = material.explanation
    parts = [f"<p>{escape(said.paragraph)}</p>"]
    parts += [f'<p class="left-out">{escape(text)}</p>' for text in material.left_out]
    for title, lines in (
        ("Evidence", said.evidence),
        ("Clocks", said.clocks),
        ("What a person can do", said.actions),
    ):
        if lines:
            items = "".join(f"<li>{escape(line)}</li>" for line in lines)
            parts.append(f"<h3>{title}</h3><ul>{items}</ul>")
    return "".join(parts)


def _steps(material: Material) -> str:
    rows = [
        [
            "watch" if step.step >= len(material.situation.rollout.plan) else str(step.step + 1),
            f"{step.weight} %",
            moment(step.started_at),
            moment(step.ended_at),
            count(step.requests),
            count(step.bad),
            step.verdict,
        ]
        for step in material.situation.rollout.steps
    ]
    return table(["Step", "Share", "Began", "Ended", "Requests", "Bad", "Verdict"], rows)


def _evaluation(material: Material) -> str:
    status = material.version.status
    parts = []
    for title, found in (("Offline", status.evaluation), ("On the endpoint", status.probe)):
        if found is not None and found.gates:
            parts.append(f"<h3>{title}</h3>{_gates(found, material.gates)}")
    return "".join(parts)


def _gates(evaluation: EvaluationStatus, bounds: dict[str, Gate]) -> str:
    baseline = evaluation.baseline or "none"
    intro = f"{evaluation.summary} gates passed; compared with {baseline}."
    rows = [
        [
            gate.metric,
            "passed" if gate.passed else "MISSED",
            _figure(gate.value),
            _figure(gate.baseline),
            _bound(gate, bounds.get(gate.metric)),
            count(gate.samples),
            gate.message,
        ]
        for gate in evaluation.gates
    ]
    heads = ["Gate", "Outcome", "Value", "Baseline", "Bound", "Samples", "Message"]
    return f"<p>{escape(intro)}</p>{table(heads, rows)}"


def _bound(result: GateResult, gate: Gate | None) -> str:
    """Every bound of the gate; relative ones with what they come to."""
    if gate is None:
        return NONE
    said = []
    if gate.max is not None:
        said.append(f"≤ {_figure(gate.max)}")
    if gate.min is not None:
        said.append(f"≥ {_figure(gate.min)}")
    base = result.baseline
    for share, sign, factor in (
        (gate.max_relative_increase, "≤", 1),
        (gate.max_relative_decrease, "≥", -1),
    ):
        if share is not None:
            limit = f" = {_figure(base * (1 + factor * share))}" if base is not None else ""
            said.append(f"{sign} baseline {'+' if factor > 0 else '−'} {share:.2%}{limit}")
    return ", ".join(said) or NONE


def _lineage(material: Material) -> str:
    status, metadata = material.version.status, material.version.metadata
    artifact, lineage = status.artifact, status.lineage
    fields = {
        "Uid": metadata.uid,
        "Attempt": f"{status.attempt_number} ({status.attempt})" if status.attempt else "",
        "Artifact": artifact.uri if artifact is not None else "",
        "Digest": artifact.digest if artifact is not None else "",
        "Backend": status.backend,
    }
    if lineage is not None:
        fields |= {
            "Continued from": lineage.parent or "",
            "Base": lineage.base or "",
            "Data": lineage.dataset_digest or "",
            "Code": lineage.code_revision or "",
            "Evaluation report": lineage.report_digest or "",
        }
    rows = [[name, value] for name, value in fields.items() if value]
    rows += [
        [f"Attempt {entry.attempt}", f"{entry.phase} ({entry.reason}) at {moment(entry.at)}"]
        for entry in status.history
    ]
    return table(["What", "Which"], rows)


def _conditions(material: Material) -> str:
    rows = [
        [c.type.value, c.status.value, c.reason.value, moment(c.last_transition_time), c.message]
        for c in material.version.status.conditions
    ]
    return table(["Type", "Status", "Reason", "Since", "Message"], rows)


def _events(material: Material) -> str:
    rows = [[moment(e.at), e.type, e.reason, e.message] for e in material.events]
    return table(["At", "Type", "Reason", "Message"], rows)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Empty without a row. Scrolls inside itself where the screen is narrow."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        '<div class="scroll"><table><thead><tr>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _figure(value: float | None) -> str:
    return NONE if value is None else f"{value:.6g}"
