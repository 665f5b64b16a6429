"""docs/alerts.md: the text of ``docs/alerts.head.md``, then tables from the code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from slipway_rules.files import files
from slipway_rules.kinds import Alert
from slipway_rules.recorded import RECORDED

HEAD = Path(__file__).parents[2] / "docs" / "alerts.head.md"
TITLES = {
    "slo.yaml": "Promises",
    "rollout.yaml": "Rollouts",
    "training.yaml": "Trainings",
    "gateway.yaml": "Gateways",
    "worker.yaml": "The queue",
    "operator.yaml": "The operator",
    "platform.yaml": "What Slipway runs on",
}


def documents() -> dict[str, str]:
    """File name → content."""
    lines = [HEAD.read_text("utf-8"), *_alerts(), *_recorded()]
    return {"alerts.md": "\n".join(lines)}


def _alerts() -> Iterator[str]:
    yield "## Every alert"
    for name, title in TITLES.items():
        yield f"\n### {title}\n"
        yield "| Alert | Severity | After | Means |"
        yield "|---|---|---|---|"
        rules = (rule for group in files()[name] for rule in group.rules)
        yield from (_row(rule) for rule in rules if isinstance(rule, Alert))


def _row(alert: Alert) -> str:
    linked = f"[{alert.name}](runbooks/{alert.page})"
    return f"| {linked} | {alert.severity} | {alert.hold} | {alert.meaning} |"


def _recorded() -> Iterator[str]:
    yield "\n## Recorded series\n"
    yield "Dashboards and your own queries may use them. `namespace` is there in a cluster.\n"
    yield "| Series | Labels | Says |"
    yield "|---|---|---|"
    seen: set[str] = set()
    for series in RECORDED:
        if series.record not in seen:
            seen.add(series.record)
            yield f"| `{series.record}` | {', '.join(series.of)} | {series.help} |"
    yield ""
