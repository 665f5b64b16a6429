"""The generated rule files in the real promtool: each loads, and each alert fires and falls silent.

The cases are in dashboards/tests/rules, in promtool's own format.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from slipway_cluster.cache import folders
from slipway_cluster.tools import path_of
from slipway_rules.files import alerts
from slipway_rules.kinds import Severity

ROOT = Path(__file__).parents[3]
RULES = sorted((ROOT / "charts/slipway/files/rules").glob("*.yaml"))
CASES = sorted((ROOT / "dashboards/tests/rules").glob("*.yaml"))
PROMTOOL, AMTOOL = (path_of(folders(), name) for name in ("promtool", "amtool"))
pytestmark = pytest.mark.skipif(
    not PROMTOOL.exists(), reason="promtool is not here; run: make tools TOOLS=observability"
)


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run(
        [PROMTOOL, *arguments], text=True, capture_output=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_loads_every_rule_file() -> None:
    said = promtool("check", "rules", *RULES)
    assert said.count("SUCCESS") == len(RULES) >= 9


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_alerts_fire_and_fall_silent(case: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", case)


@pytest.mark.skipif(not AMTOOL.exists(), reason="amtool is not here")
def test_alertmanager_takes_the_example_of_the_docs(tmp_path: Path) -> None:
    text = (ROOT / "docs/alerts.md").read_text("utf-8")
    [example] = re.findall(r"^```yaml\n(route:\n.*?)^```$", text, re.MULTILINE | re.DOTALL)
    file = tmp_path / "alertmanager.yaml"
    file.write_text(example, "utf-8")
    done = subprocess.run(
        [AMTOOL, "check-config", file], text=True, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    routed = {
        severity: subprocess.run(
            [AMTOOL, "config", "routes", "test", f"--config.file={file}", f"severity={severity}"],
            text=True,
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout.strip()
        for severity in Severity
    }
    assert routed == {"page": "pages", "ticket": "tickets", "info": "nobody"}
    silenced = re.search(r"alertname=~\"([^\"]+)\"", example)
    assert silenced is not None
    assert set(silenced[1].split("|")) <= {alert.name for alert in alerts()}
