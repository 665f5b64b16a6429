"""Every alert has a promtool case in which it fires, and in the same case a time of quiet."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from slipway_rules.files import alerts, rendered
from slipway_rules.kinds import Alert, Severity

ROOT = Path(__file__).parents[3]
CASES = [
    case
    for path in sorted((ROOT / "dashboards/tests/rules").glob("*.yaml"))
    for case in yaml.safe_load(path.read_text("utf-8"))["tests"]
]
SAYS_WHOM = re.compile(r'alertname="(\w+)"')


def named(samples: list[dict[str, str]]) -> set[str]:
    return {name for sample in samples for name in SAYS_WHOM.findall(sample["labels"])}


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_an_alert_fires_and_is_silent_in_one_case(alert: Alert) -> None:
    looks = [[named(at["exp_samples"]) for at in case["promql_expr_test"]] for case in CASES]
    fires = [look for look in looks if any(alert.name in said for said in look)]
    assert fires, f"no case in dashboards/tests/rules makes {alert.name} fire"
    assert any(set() in look for look in fires), f"no case of {alert.name} ends or begins in quiet"


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_an_alert_says_what_to_do(alert: Alert) -> None:
    assert re.fullmatch(r"([A-Z][a-z]+)+", alert.name)
    assert alert.severity in Severity
    assert alert.meaning.endswith(".")
    assert len(alert.description) > 80, "what is so, then the next action"
    assert len(alert.summary) < 100


def test_names_are_unique() -> None:
    names = [alert.name for alert in alerts()]
    assert len(set(names)) == len(names)


def test_the_healthy_life_loads_every_rule() -> None:
    healthy = yaml.safe_load((ROOT / "dashboards/tests/rules/healthy.yaml").read_text("utf-8"))
    loaded = {Path(name).name for name in healthy["rule_files"]}
    assert loaded == rendered().keys()
