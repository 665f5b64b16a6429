"""The generated rule files in the real promtool: each loads, and each alert fires and falls silent.

The cases are in dashboards/tests/rules, in promtool's own format.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from slipway_cluster.cache import folders
from slipway_cluster.tools import path_of

ROOT = Path(__file__).parents[3]
RULES = sorted((ROOT / "charts/slipway/files/rules").glob("*.yaml"))
CASES = sorted((ROOT / "dashboards/tests/rules").glob("*.yaml"))
PROMTOOL = path_of(folders(), "promtool")
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
