"""``make bench-operator`` itself works: a small run of both operators, without a word on speed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from slipway_cluster import cache, tools

ROOT = Path(__file__).parents[3]
NEEDED = ("apiserver", "kube-scheduler", "kwok")
SMALL = ("--versions=20", "--models=5", "--events=10", "--rate=5", "--idle=8", "--patience=200")


@pytest.mark.timeout(560)
def test_a_small_run_measures_both_operators() -> None:
    absent = [tool.name for tool in tools.missing(cache.folders(), NEEDED)]
    if absent:
        pytest.skip(f"not built: {' '.join(absent)}; run: make tools TOOLS='{' '.join(absent)}'")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.operator", *SMALL],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "deploy" / "cluster")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode in (0, 1), done.stderr
    assert done.stdout, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == (0 if said["ok"] else 1)
    assert set(said["systems"]) == {"slipway", "stock_kopf"}
    for system in said["systems"].values():
        assert system["events"] == 10
        assert system["writes"]["first"]["create jobs"] == 20
        assert system["writes"]["first"]["create configmaps"] == 20
    assert said["systems"]["slipway"]["restart_passes"] >= 5
    assert said["systems"]["slipway"]["restart_writes"] == 0
    assert said["missed"] == [name for name, bar in said["bars"].items() if not bar["met"]]
