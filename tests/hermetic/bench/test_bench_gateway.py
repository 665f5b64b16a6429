"""``make bench-gateway`` itself works: parts that fail, and a small run without a word on speed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks.parts import Part, run

ROOT = Path(__file__).parents[3]


def found_by(code: str, *, seconds: float = 60) -> dict[str, Any]:
    part = Part(name="part", module="gateway", tiny=(), seconds=seconds)
    return run(part, [sys.executable, "-c", code], lambda line: None)


def test_a_part_that_misses_a_bar_has_its_figures() -> None:
    found = found_by("print('words'); print('{\"rate\": 3}'); raise SystemExit(1)")

    assert found["rate"] == 3
    assert "failed" not in found


def test_a_part_that_breaks_says_how() -> None:
    found = found_by("print('{not json'); raise RuntimeError('no engine')")

    assert found["failed"].startswith("status 1; ")
    assert "RuntimeError: no engine" in found["failed"]


def test_a_part_that_hangs_is_asked_to_stop_its_servers() -> None:
    code = "import time\ntry:\n    time.sleep(600)\nfinally:\n    print('stopped', flush=True)"

    # Long enough that even a busy machine has started it.
    found = found_by(code, seconds=8)

    assert found["failed"] == "no answer within 8 s; KeyboardInterrupt"
    assert "stopped" in found["said"]


@pytest.mark.timeout(200)
def test_a_small_run_judges_every_bar_of_its_part() -> None:
    command = [sys.executable, "-m", "benchmarks.bench_gateway", "--tiny", "--rounds", "1"]
    done = subprocess.run(
        [*command, "--only", "relay"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    said = json.loads(done.stdout.splitlines()[-1])
    relay = said["parts"]["relay"]
    assert "failed" not in relay, relay
    assert relay["bytes"] == {"answers": 128, "different": 0}
    assert relay["extracted"]["without_figures"] == 0 < relay["extracted"]["streams"]
    assert relay["cpu_us"]["slipway"].keys() == {
        "request", "unshipped", "shipping", "stream_100", "paced_100",
    }  # fmt: skip
    assert relay["ratio"]["fastapi_httpx"]["request"] > 0
    assert set(relay["split"]) == {"v1", "v2"}
    for row in said["bars"]:
        peer_is_absent = row["measured"] is None
        assert ("why" in row) == peer_is_absent
    assert said["missed"] == [row["bar"] for row in said["bars"] if row["met"] is False]
    assert said["left_out"] and "relay" not in said["left_out"]
    assert done.returncode == (1 if said["missed"] else 0)
