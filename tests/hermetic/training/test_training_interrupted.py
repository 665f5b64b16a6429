"""SIGTERM, SIGKILL and several processes: every way of dying ends as if it had not happened."""

from __future__ import annotations

import json
import signal
import time

import pytest
from free_ports import free_port
from training_runs import a_train_run, carry_out, progress_of, start

from slipway_contracts.artifact import verify_artifact
from slipway_contracts.run import RunResult
from slipway_contracts.training import EXIT_CHECKPOINTED, EXIT_INVALID

DEADLINE = 180.0
STEPS = 60


def wait_until(condition, process) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert process.poll() is None, "the run ended before it could be stopped"
        assert time.monotonic() < end, "the run made no progress"
        time.sleep(0.01)


def step_of(folder) -> int:
    return max((line["step"] for line in progress_of(folder)), default=-1)


def finish(run, folder) -> RunResult:
    result = carry_out(run, folder)
    verify_artifact(folder / "artifact", result.artifact.digest)
    return result


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> RunResult:
    folder = tmp_path_factory.mktemp("undisturbed")
    return finish(a_train_run(folder, maxSteps=STEPS), folder)


def test_sigterm_checkpoints_and_the_next_start_ends_the_same(tmp_path, undisturbed):
    run = a_train_run(tmp_path, maxSteps=STEPS)
    process = start(run, tmp_path)
    wait_until(lambda: step_of(tmp_path) >= 6, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE) == EXIT_CHECKPOINTED
    stopped_at = step_of(tmp_path)
    assert progress_of(tmp_path)[-1]["event"] == "checkpoint"
    assert not (tmp_path / "artifact").exists()
    assert not (tmp_path / "work/result.json").exists()

    result = finish(run, tmp_path)
    starts = [line["step"] for line in progress_of(tmp_path) if line["event"] == "start"]
    assert starts == [0, stopped_at]
    assert result.metrics["steps"] == STEPS
    assert result.metrics["eval_loss"] == pytest.approx(undisturbed.metrics["eval_loss"], rel=1e-4)


def test_sigkill_loses_at_most_the_steps_since_the_last_sealed_checkpoint(tmp_path, undisturbed):
    run = a_train_run(tmp_path, maxSteps=STEPS)
    process = start(run, tmp_path)
    wait_until(lambda: step_of(tmp_path) >= 10, process)
    process.kill()
    process.wait(DEADLINE)
    killed_at = step_of(tmp_path)
    # What a kill in the middle of writing leaves: a torn line and half a checkpoint.
    with (tmp_path / "work/progress.jsonl").open("a") as stream:
        stream.write('{"at": 1, "ev')
    torn = tmp_path / "work/checkpoints/checkpoint-9999"
    torn.mkdir()
    (torn / "trainer_state.json").write_text("{")

    result = finish(run, tmp_path)
    lines = (tmp_path / "work/progress.jsonl").read_text().splitlines()
    assert '{"at": 1, "ev' in lines
    parsed = [json.loads(line) for line in lines if line != '{"at": 1, "ev']
    resumed_at = [line["step"] for line in parsed if line["event"] == "start"][-1]
    assert killed_at - 8 <= resumed_at <= killed_at + 4
    assert resumed_at % 4 == 0
    assert result.metrics["steps"] == STEPS
    assert result.metrics["eval_loss"] == pytest.approx(undisturbed.metrics["eval_loss"], rel=1e-4)


class Killed(BaseException):
    """Stands for the kill: nothing in the product catches it."""


@pytest.mark.parametrize(
    "place",
    [
        "slipway_training.loop._keep",
        "slipway_training.recipes.text.finish",
        "slipway_training.recipes.text.publish",
        "slipway_training.files.sync_tree",
        "slipway_training.run._store",
        "slipway_training.run._tidy",
    ],
)
def test_a_kill_at_any_hand_over_is_resumed(tmp_path, monkeypatch, place):
    def die(*_, **__):
        raise Killed

    run = a_train_run(tmp_path, maxSteps=3)
    with monkeypatch.context() as patch:
        patch.setattr(place, die)
        with pytest.raises(Killed):
            carry_out(run, tmp_path)
    result = finish(run, tmp_path)
    assert result.metrics["steps"] == 3
    assert RunResult.model_validate_json((tmp_path / "work/result.json").read_bytes()) == result
    assert not list((tmp_path).glob(".*partial"))


def test_two_processes_train_as_one_group_and_stop_together(tmp_path):
    run = a_train_run(tmp_path, maxSteps=4000, batchSize=2, checkpointEverySteps=2000)
    process = start(run, tmp_path, "--processes", "2", environment={"GLOO_SOCKET_IFNAME": "lo"})
    wait_until(lambda: step_of(tmp_path) >= 1, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE) == EXIT_CHECKPOINTED
    [sealed] = (tmp_path / "work/checkpoints").glob("checkpoint-*/sealed")
    assert sealed.parent.name == f"checkpoint-{step_of(tmp_path)}"


def test_an_invalid_spec_exits_78_and_names_the_field(tmp_path):
    run = a_train_run(tmp_path)
    spec = run.wire()
    spec["training"]["batchSiez"] = 8
    (tmp_path / "spec.json").write_text(json.dumps(spec))

    class Raw:
        def wire(self):
            return spec

    process = start(Raw(), tmp_path)
    assert process.wait(DEADLINE) == EXIT_INVALID
    assert "batchSiez" in (tmp_path / "log").read_text()


def test_two_machines_train_as_one_group_and_the_first_reports(tmp_path):
    run = a_train_run(tmp_path / "shared", maxSteps=3, batchSize=2, nodes=2)
    place = {"GLOO_SOCKET_IFNAME": "lo", "PET_NNODES": "2", "PET_MASTER_ADDR": "127.0.0.1"}
    place["PET_MASTER_PORT"] = str(free_port())
    report = ("--report", "stdout", "--result-file")
    nodes = [tmp_path / "shared", tmp_path / "second"]
    nodes[0].mkdir()
    nodes[1].mkdir()
    (nodes[1] / "work").symlink_to(nodes[0] / "work")
    (nodes[0] / "work").mkdir()
    processes = [
        start(run, node, *report, str(node / "end"), environment=place | {"PET_NODE_RANK": str(n)})
        for n, node in enumerate(nodes)
    ]
    for node, process in zip(nodes, processes, strict=True):
        assert process.wait(DEADLINE) == 0, (node / "log").read_text()
    told = (nodes[0] / "log").read_text()
    assert told.count("slipway-result {") == 1
    assert "slipway-progress {" in told
    assert "slipway-" not in (nodes[1] / "log").read_text()
    result = RunResult.model_validate_json((nodes[0] / "end").read_bytes())
    assert result.metrics["steps"] == 3
    assert not (nodes[1] / "end").exists()


def test_several_machines_where_there_is_one_is_refused(tmp_path):
    run = a_train_run(tmp_path, nodes=2)
    process = start(run, tmp_path)
    assert process.wait(DEADLINE) == EXIT_INVALID
    assert "training.nodes is 2, and this run was started on 1" in (tmp_path / "log").read_text()
