"""What a run writes: lines of the one schema, and nothing else that a library might print."""

from __future__ import annotations

from log_lines import check_log
from training_runs import a_train_run, start

from slipway_contracts.training import EXIT_INVALID

DEADLINE = 180.0


def test_a_run_writes_lines_with_its_version_and_steps(tmp_path):
    assert start(a_train_run(tmp_path), tmp_path).wait(DEADLINE) == 0
    lines = check_log(tmp_path / "log", service="training")
    assert {line["version"] for line in lines} == {"v1"}
    steps = [line for line in lines if line["message"] == "step"]
    assert steps[-1]["step"] == 12
    assert float(steps[-1]["data"]["loss"]) > 0
    assert lines[0]["message"] == "start"


def test_a_run_that_cannot_be_says_so_in_a_line(tmp_path):
    run = a_train_run(tmp_path, data={"sources": ["bundled:nothing"]})
    assert start(run, tmp_path).wait(DEADLINE) == EXIT_INVALID
    (line,) = check_log(tmp_path / "log", service="training")
    assert (line["level"], line["data"]["exit_code"]) == ("error", str(EXIT_INVALID))
