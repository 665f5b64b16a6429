"""Runs on a real API server: what its schema accepts, what ends a run, what may never happen."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from children_contract import MODEL, a_run, run_until
from children_world import (
    CONFIG,
    KubernetesRunsWorld,
    condition,
    kept,
    scheduled,
    terminated,
    waiting,
)

from slipway_contracts.conditions import Reason
from slipway_contracts.training import Training
from slipway_operator.core.decision import DesiredRun, TrainRequest
from slipway_operator.core.snapshot import RunState
from slipway_operator.errors import Conflict
from slipway_operator.platforms.kubernetes.build_run import build_job
from slipway_operator.platforms.kubernetes.kinds import (
    CONFIG_MAPS,
    JOBS,
    MODEL_VERSIONS,
    PODS,
    SERVICES,
)

World = KubernetesRunsWorld


@pytest.fixture
def world(runs_world: World) -> World:
    return runs_world


def a_training(**training: Any) -> DesiredRun:
    told = {"data": {"sources": ["bundled:devil"]}} | training
    request = TrainRequest(training=Training.model_validate(told))
    return DesiredRun(name="v1-train", version="v1", request=request)


@pytest.mark.parametrize(
    "training",
    [
        {},
        {"resources": {"gpu": 2, "cpu": 3, "memory": "8Gi"}},
        {"nodes": 2, "wallClockLimit": "1h"},
        {"queue": "team"},
    ],
    ids=["plain", "gpus", "nodes", "queue"],
)
async def test_nothing_of_a_job_is_dropped(world: World, training: dict[str, Any]) -> None:
    run = a_training(**training)
    await world.runs.apply(MODEL, [run])
    owner = world.world.person.get(MODEL_VERSIONS, "v1")
    sent = build_job(run, model=MODEL, config=CONFIG, owner=owner)
    assert kept(sent, world.world.person.get(JOBS, run.name)) == []
    assert len(world.world.person.list(SERVICES)) == (1 if "nodes" in training else 0)


async def test_two_operators_make_one_job(world: World) -> None:
    first, second = world.runs, world.again()
    await asyncio.gather(first.apply(MODEL, [a_run()]), second.apply(MODEL, [a_run()]))
    await first.apply(MODEL, [a_run()])
    assert len(world.world.person.list(JOBS)) == 1
    assert await world.starts("v1-run") == 1


async def test_a_job_is_never_rendered_again(world: World) -> None:
    await world.runs.apply(MODEL, [a_run()])
    before = world.world.person.get(JOBS, "v1-run")
    images = CONFIG.images.model_copy(update={"training": "docker.io/slipway/training:next"})
    upgraded = KubernetesRunsWorld(world.world, config=CONFIG.model_copy(update={"images": images}))
    await upgraded.runs.apply(MODEL, [a_run()])
    assert world.world.person.get(JOBS, "v1-run") == before


async def test_an_ended_run_whose_job_is_gone_does_not_run_again(world: World) -> None:
    await world.runs.apply(MODEL, [a_run()])
    await world.end("v1-run", code=0, result={"metrics": {"loss": 1.0}})
    await run_until(world, RunState.SUCCEEDED)
    await world.runs.apply(MODEL, [])
    await world.vanish("v1-run")
    world.runs = world.again()
    seen = await run_until(world, RunState.SUCCEEDED)
    assert seen.result is not None
    assert seen.result.metrics == {"loss": 1.0}
    await world.runs.apply(MODEL, [a_run()])
    assert await world.starts("v1-run") == 1


async def test_an_end_is_recorded_once(world: World) -> None:
    await world.runs.apply(MODEL, [a_run()])
    await world.end("v1-run", code=1)
    await run_until(world, RunState.FAILED)
    await world.runs.apply(MODEL, [])
    record = world.world.person.get(CONFIG_MAPS, "v1-run")
    assert json.loads(record["data"]["outcome.json"])["exitCode"] == 1
    assert json.loads(record["data"]["spec.json"])["verb"] == "import"
    await world.runs.apply(MODEL, [])
    await world.again().apply(MODEL, [])
    assert world.world.person.get(CONFIG_MAPS, "v1-run") == record
    assert world.world.person.get(JOBS, "v1-run")["status"]["failed"] == 1


async def test_a_job_whose_pod_is_gone_tells_its_result_again(world: World) -> None:
    await world.runs.apply(MODEL, [a_run()])
    await world.finish("v1-run", good=True)
    await run_until(world, RunState.LOST)
    await world.runs.apply(MODEL, [a_run()])
    await world.runs.apply(MODEL, [a_run()])
    await world.started("v1-run", 2)


async def test_an_image_that_does_not_exist_ends_the_run_and_its_job(world: World) -> None:
    await world.runs.apply(MODEL, [a_run()])
    state = waiting("ImagePullBackOff", "not found")
    await world.pod("v1-run", "Pending", state, conditions=[scheduled(ago=600)])
    seen = await run_until(world, RunState.FAILED)
    assert seen.reason is Reason.IMAGE_PULL
    assert "docker.io/slipway/x:dev cannot be pulled" in seen.message
    await world.runs.apply(MODEL, [])
    assert world.world.person.list(JOBS) == []
    world.runs = world.again()
    assert (await run_until(world, RunState.FAILED)).reason is Reason.IMAGE_PULL


async def test_no_room_is_said_while_it_waits(world: World) -> None:
    await world.runs.apply(MODEL, [a_run()])
    message = "0/1 nodes are available: 1 Insufficient cpu."
    no_room = condition("PodScheduled", "False", reason="Unschedulable", message=message)
    await world.pod("v1-run", "Pending", {}, conditions=[no_room])
    seen = await run_until(world, RunState.RUNNING)
    assert seen.reason is Reason.INSUFFICIENT_CAPACITY
    assert "1 Insufficient cpu" in seen.message


async def test_a_deadline_and_a_killed_container_have_their_reasons(world: World) -> None:
    await world.runs.apply(MODEL, [a_run()])
    await world.pod("v1-run", "Failed", terminated(137, reason="OOMKilled"))
    await world.finish("v1-run", good=False)
    assert (await run_until(world, RunState.FAILED)).reason is Reason.OOM_KILLED
    other = a_run("v1-other")
    await world.runs.apply(MODEL, [other])
    await world.finish("v1-other", good=False, reason="DeadlineExceeded", failed=0)
    seen = await run_until(world, RunState.FAILED, name="v1-other")
    assert seen.reason is Reason.DEADLINE_EXCEEDED


async def test_an_eviction_is_no_failure(world: World) -> None:
    await world.runs.apply(MODEL, [a_run()])
    taken = condition("DisruptionTarget", reason="EvictionByEvictionAPI", message="drained")
    await world.pod("v1-run", "Failed", terminated(75), conditions=[scheduled(), taken])
    seen = await run_until(world, RunState.RUNNING)
    assert (seen.restarts, "taken away (drained)" in seen.message) == (0, True)


async def test_everything_of_a_run_goes_with_its_version(world: World) -> None:
    await world.runs.apply(MODEL, [a_training(nodes=2)])
    await world.pod("v1-train", "Running", {})
    world.world.person.delete(MODEL_VERSIONS, "v1")
    person = world.world.person
    kinds = (JOBS, SERVICES, PODS)
    await world.world.until(
        lambda: (
            not any(person.list(kind) for kind in kinds)
            and "v1-train" not in {body["metadata"]["name"] for body in person.list(CONFIG_MAPS)}
        )
    )
    await world.world.until(lambda: world.world.cache.get(JOBS, "v1-train") is None)
    await world.world.until(lambda: world.world.cache.get(CONFIG_MAPS, "v1-train") is None)
    assert await world.runs.observe(MODEL) == {}


async def test_a_run_of_a_version_that_is_gone_is_not_started(world: World) -> None:
    run = DesiredRun(name="v9-run", version="v9", request=a_run().request)
    with pytest.raises(Conflict, match="v9 is gone"):
        await world.runs.apply(MODEL, [run])
    assert world.world.person.list(JOBS) == []
