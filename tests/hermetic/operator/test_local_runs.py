"""Runs as subprocesses: once, again after a loss, never twice, whoever is killed."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from slipway_contracts.conditions import Reason
from slipway_contracts.model_version import RandomSource
from slipway_operator.core.decision import DesiredRun, ImportRequest
from slipway_operator.core.snapshot import RunState
from slipway_operator.platforms.local import launcher
from slipway_operator.platforms.local.runs import LocalRuns, RunSettings, stop_all

SCRIPT = Path(__file__).parents[2] / "support" / "scripted_run.py"
RUN = DesiredRun(name="v1-run", version="v1", request=ImportRequest(source=RandomSource()))


@pytest.fixture
def home(tmp_path):
    yield tmp_path
    stop_all(tmp_path, grace=5)


def a_platform(home, **settings):
    return LocalRuns(
        settings=RunSettings(home=home, **settings),
        command=lambda spec, work: [sys.executable, str(SCRIPT), str(work)],
    )


def behave(home, **script):
    (home / "script.json").write_text(json.dumps(script))


async def until(runs, *states, name="v1-run"):
    async with asyncio.timeout(60):
        while True:
            seen = (await runs.observe("m")).get(name)
            if seen is not None and seen.state in states:
                return seen
            await asyncio.sleep(0.02)


async def until_working(home, times=1):
    async with asyncio.timeout(60):
        while len(pids(home)) < times:
            await asyncio.sleep(0.02)


def pids(home, name="v1-run"):
    path = home / "runs" / "m" / name / "starts"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


async def test_runs_to_its_end_once(home):
    behave(home, result={"metrics": {"loss": 1.5}})
    runs = a_platform(home)
    await runs.apply("m", [RUN])
    seen = await until(runs, RunState.SUCCEEDED)
    assert seen.result.metrics == {"loss": 1.5}
    assert seen.progress.step == 3
    await runs.apply("m", [RUN])
    await a_platform(home).apply("m", [RUN])
    assert len(pids(home)) == 1
    spec = json.loads((home / "runs/m/v1-run/spec.json").read_text())
    assert spec["verb"] == "import"
    assert spec["artifactDir"] == str(home / "artifacts" / "v1-run")


async def test_a_living_run_is_never_started_twice(home):
    behave(home, wait_for=str(home / "go"), result={})
    runs = a_platform(home)
    await runs.apply("m", [RUN])
    await until_working(home)
    await a_platform(home).apply("m", [RUN])
    await runs.apply("m", [RUN])
    (home / "go").touch()
    await until(runs, RunState.SUCCEEDED)
    assert len(pids(home)) == 1


async def test_a_failure_is_retried_up_to_the_limit(home):
    behave(home, exit=1)
    runs = a_platform(home)
    run = DesiredRun(name="v1-run", version="v1", request=RUN.request, backoff_limit=2)
    for restarts in range(2):
        await runs.apply("m", [run])
        seen = await until(runs, RunState.LOST)
        assert seen.restarts == restarts
    await runs.apply("m", [run])
    seen = await until(runs, RunState.FAILED)
    assert seen.restarts == 2
    await runs.apply("m", [run])
    assert len(pids(home)) == 3
    assert "exit code 1" in seen.message
    assert "done" in seen.message


async def test_invalid_input_is_not_retried(home):
    behave(home, exit=78)
    runs = a_platform(home)
    await runs.apply("m", [RUN])
    assert (await until(runs, RunState.FAILED)).reason is Reason.INVALID
    await runs.apply("m", [RUN])
    assert len(pids(home)) == 1


async def test_a_killed_command_is_a_failure_and_runs_again(home):
    behave(home, wait_for=str(home / "go"), result={})
    runs = a_platform(home)
    await runs.apply("m", [RUN])
    await until_working(home)
    os.kill(pids(home)[0], signal.SIGKILL)
    assert (await until(runs, RunState.LOST)).exit_code == -signal.SIGKILL
    (home / "go").touch()
    await runs.apply("m", [RUN])
    assert (await until(runs, RunState.SUCCEEDED)).restarts == 1


async def test_a_killed_launcher_leaves_one_run_that_is_seen_to_its_end(home):
    behave(home, wait_for=str(home / "go"), result={})
    runs = a_platform(home)
    await runs.apply("m", [RUN])
    await until_working(home)
    pgid = json.loads((home / "runs/m/v1-run" / launcher.PROCESS_FILE).read_text())["pgid"]
    os.kill(pgid, signal.SIGKILL)
    await runs.apply("m", [RUN])
    assert (await until(runs, RunState.RUNNING)).restarts == 0
    (home / "go").touch()
    await until(runs, RunState.SUCCEEDED)
    assert len(pids(home)) == 1


async def test_a_killed_group_is_lost_and_runs_again(home):
    behave(home, wait_for=str(home / "go"), result={})
    runs = a_platform(home)
    await runs.apply("m", [RUN])
    await until_working(home)
    pgid = json.loads((home / "runs/m/v1-run" / launcher.PROCESS_FILE).read_text())["pgid"]
    os.killpg(pgid, signal.SIGKILL)
    await until(runs, RunState.LOST)
    (home / "go").touch()
    await runs.apply("m", [RUN])
    assert (await until(runs, RunState.SUCCEEDED)).restarts == 1


async def test_what_is_not_desired_is_stopped_and_a_checkpoint_costs_no_retry(home):
    behave(home, wait_for=str(home / "go"), checkpoint_on_term=True, result={})
    runs = a_platform(home)
    await runs.apply("m", [RUN])
    await until_working(home)
    await runs.apply("m", [])
    assert (await until(runs, RunState.LOST)).exit_code == 75
    (home / "go").touch()
    await runs.apply("m", [RUN])
    assert (await until(runs, RunState.SUCCEEDED)).restarts == 0


async def test_only_so_many_at_a_time(home):
    behave(home, wait_for=str(home / "go"), result={})
    runs = a_platform(home, max_runs=1)
    other = DesiredRun(name="v2-run", version="v2", request=RUN.request)
    await runs.apply("m", [RUN, other])
    assert set(await runs.observe("m")) == {"v1-run"}
    (home / "go").touch()
    await until(runs, RunState.SUCCEEDED)
    await runs.apply("m", [RUN, other])
    await until(runs, RunState.SUCCEEDED, name="v2-run")
