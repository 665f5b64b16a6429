"""kill -9 of each part of a living platform: the lifecycle ends as it would have.

One platform, one story, since an engine takes a minute to load: the training run and the controller
are killed while v1 trains, one of two gateways and the engine's replica while it serves.
"""

import asyncio
import json
import os
import signal

import psutil
import pytest
from local_platform import LocalPlatform, until

from slipway_store.connect import open_pool

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

MODEL = {
    "apiVersion": "slipway.dev/v1alpha1",
    "kind": "Model",
    "metadata": {"name": "jargon"},
    "spec": {
        "default": True,
        "serving": {"engine": {"dtype": "float32", "maxModelLen": 256, "enforceEager": True}},
    },
}
VERSION = {
    "apiVersion": "slipway.dev/v1alpha1",
    "kind": "ModelVersion",
    "metadata": {"name": "v1"},
    "spec": {
        "model": "jargon",
        "source": {
            "training": {
                "architecture": "tiny-llama",
                "data": {"sources": ["bundled:devil"], "blockSize": 64},
                "maxSteps": 60,
                "batchSize": 4,
                "checkpointEverySteps": 10,
                "evalEverySteps": 60,
            }
        },
    },
}


@pytest.fixture
def platform(tmp_path):
    platform = LocalPlatform(tmp_path / "home")
    try:
        platform.up()
        yield platform
    finally:
        platform.down()


def training_run(platform):
    found = list((platform.home / "runs" / "jargon").glob("v1-*-train"))
    return found[0] if found else None


def steps(run):
    path = run / "progress.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def rows(platform):
    dsn = json.loads((platform.home / "local.json").read_text())["dsn"]

    async def read():
        async with await open_pool(dsn) as pool:
            found = await pool.fetch("SELECT request_id, version, status FROM request_logs")
            return [tuple(row) for row in found]

    return asyncio.run(read())


def replicas(platform):
    """Engine replicas below this home's Ray head."""
    head = psutil.Process(platform.pid("ray"))
    return [p for p in head.children(recursive=True) if p.name().startswith("ray::ServeReplica")]


def test_each_part_may_be_killed(platform):
    platform.apply(MODEL, VERSION)

    run = until(lambda: training_run(platform), seconds=60, what="the training run")
    until(lambda: any(line["step"] >= 20 for line in steps(run)), seconds=180, what="step 20 of 60")
    controller = platform.kill("controller")
    training = json.loads((run / "process.json").read_text())
    os.killpg(training["pgid"], signal.SIGKILL)
    until(lambda: platform.pid("controller") != controller, seconds=60, what="a new controller")

    until(
        lambda: platform.version("v1")["status"]["phase"] in ("Serving", "Failed"),
        seconds=400,
        what="v1 serving",
    )
    status = platform.version("v1")["status"]
    assert status["phase"] == "Serving", status
    assert status["training"]["restarts"] == 1
    assert [path.name for path in run.parent.glob("v1-*-train")] == [run.name]
    resumed = [line for line in steps(run) if line["event"] == "start"][-1]
    assert resumed["step"] >= 10, "the second start began from a checkpoint"

    answered = [n for n in range(20) if platform.ask("What is a bug?", request_id=f"before-{n}")]
    assert len(answered) == 20
    gateway = platform.kill("gateway-1")
    during = [n for n in range(20) if platform.ask("What is a bug?", request_id=f"during-{n}")]
    assert len(during) >= 18, "one gateway serves on while the other is away"
    until(lambda: platform.pid("gateway-1") != gateway, seconds=60, what="a new gateway")

    (replica,) = replicas(platform)
    replica.kill()
    until(
        lambda: platform.ask("What is a bug?", request_id=f"again-{os.urandom(4).hex()}"),
        seconds=240,
        what="an answer of the replica that Ray started again",
    )
    assert platform.version("v1")["status"]["phase"] == "Serving"

    wanted = {f"before-{n}" for n in answered} | {f"during-{n}" for n in during}
    until(lambda: wanted <= {row[0] for row in rows(platform)}, seconds=30, what="every row")
    logged = [row[0] for row in rows(platform) if row[0] in wanted and row[2] == 200]
    assert sorted(logged) == sorted(wanted), "each answer is logged once"

    platform.down()
    assert platform.leftovers() == []
