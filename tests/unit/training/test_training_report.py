"""What a run tells a platform that cannot read its folder, and where its processes meet."""

from __future__ import annotations

import io
import json

from slipway_contracts.run import RESULT_FILE_LIMIT, Progress, RunResult, TrainRun
from slipway_training.__main__ import processes_of
from slipway_training.environment import Group, read_environment
from slipway_training.launch import meeting
from slipway_training.progress import ProgressLog
from slipway_training.report import Report


def test_progress_is_told_line_by_line_beside_the_file(tmp_path, capsys):
    stream = io.StringIO()
    ProgressLog(tmp_path, report=stream).write("step", step=3, max_steps=9)
    mark, _, body = stream.getvalue().rstrip("\n").partition(" ")
    assert mark == "slipway-progress"
    assert Progress.model_validate_json(body).step == 3
    assert (tmp_path / "progress.jsonl").read_text() == body + "\n"
    assert capsys.readouterr().err == ""


def test_the_result_is_one_line_and_a_small_file(tmp_path):
    stream, file = io.StringIO(), tmp_path / "end"
    result = RunResult(metrics={"loss": 1.5}, error="")
    Report(stream=stream, file=file).ended(result)
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().startswith('slipway-result {"')
    assert RunResult.model_validate_json(file.read_bytes()) == result


def test_a_large_result_is_on_the_stream_alone(tmp_path):
    stream, file = io.StringIO(), tmp_path / "end"
    Report(stream=stream, file=file).ended(RunResult(error="x" * RESULT_FILE_LIMIT))
    assert len(stream.getvalue()) > RESULT_FILE_LIMIT
    assert not file.exists()


def test_nobody_asked():
    Report().ended(RunResult())


def test_machines_meet_at_the_first_one():
    place = meeting(Group(nodes=3, node=2, address="first", port=1234), 4).place(1)
    assert place == {
        "RANK": "9",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "12",
        "LOCAL_WORLD_SIZE": "4",
        "MASTER_ADDR": "first",
        "MASTER_PORT": "1234",
    }


def test_torchrun_s_variables_place_the_machine(monkeypatch):
    assert read_environment().group == Group()
    for name, value in {"NNODES": "2", "NODE_RANK": "1", "MASTER_ADDR": "a"}.items():
        monkeypatch.setenv(f"PET_{name}", value)
    monkeypatch.setenv("PET_MASTER_PORT", "7")
    assert read_environment().group == Group(nodes=2, node=1, address="a", port=7)


def test_several_machines_are_a_group_even_on_the_cpu():
    training = {"data": {"sources": ["bundled:devil"]}, "nodes": 2}
    spec = {"version": "v1", "artifactDir": "/a", "training": training}
    assert processes_of(TrainRun.model_validate_json(json.dumps(spec))) == 1
