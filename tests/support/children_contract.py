"""What every platform's runs and backends must do: one suite, inherited per platform.

A test class derives from ``RunsContract`` or ``BackendsContract`` and has a fixture ``world``: the
port, and whoever carries a run or an engine out, as the test tells them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.conditions import Reason
from slipway_contracts.model_version import RandomSource
from slipway_contracts.serving import Replicas, Serving, Warmup
from slipway_contracts.training import EXIT_INVALID, EXIT_OUT_OF_MEMORY
from slipway_operator.core.decision import DesiredBackend, DesiredRun, ImportRequest
from slipway_operator.core.snapshot import (
    BackendObservation,
    BackendState,
    RunObservation,
    RunState,
)
from slipway_operator.ports import Backends, Runs

MODEL = "tiny"
ARTIFACT = ArtifactRef(uri="file:///artifacts/v1", digest="sha256:" + "0" * 64)
SECONDS = 90


class RunsWorld(Protocol):
    runs: Runs

    async def started(self, name: str, times: int) -> None:
        """Wait until it was started so often."""
        ...

    async def starts(self, name: str) -> int: ...

    async def end(self, name: str, *, code: int, result: Mapping[str, Any] | None = None) -> None:
        """The run ends so, now or as soon as it has begun."""
        ...

    async def vanish(self, name: str) -> None:
        """What works on it is gone without an end."""
        ...


def a_run(name: str = "v1-run", *, limit: int = 0) -> DesiredRun:
    request = ImportRequest(source=RandomSource())
    return DesiredRun(name=name, version="v1", request=request, backoff_limit=limit)


async def run_until(world: RunsWorld, *states: RunState, name: str = "v1-run") -> RunObservation:
    async with asyncio.timeout(SECONDS):
        while True:
            seen = (await world.runs.observe(MODEL)).get(name)
            if seen is not None and seen.state in states:
                return seen
            await asyncio.sleep(0.05)


class RunsContract:
    async def test_nothing_is_there_before_it_is_desired(self, world: RunsWorld) -> None:
        assert await world.runs.observe(MODEL) == {}
        await world.runs.apply(MODEL, [])
        assert await world.runs.observe(MODEL) == {}

    async def test_it_starts_once_and_tells_its_result(self, world: RunsWorld) -> None:
        await world.runs.apply(MODEL, [a_run()])
        await world.runs.apply(MODEL, [a_run()])
        await world.started("v1-run", 1)
        assert (await run_until(world, RunState.RUNNING)).result is None
        await world.runs.apply(MODEL, [a_run()])
        await world.end("v1-run", code=0, result={"metrics": {"loss": 1.5}})
        seen = await run_until(world, RunState.SUCCEEDED)
        assert seen.result is not None
        assert (seen.exit_code, seen.result.metrics) == (0, {"loss": 1.5})
        await world.runs.apply(MODEL, [a_run()])
        await world.runs.apply(MODEL, [])
        assert await world.starts("v1-run") == 1
        assert (await run_until(world, RunState.SUCCEEDED)).result == seen.result

    async def test_a_failure_without_retries_is_the_end(self, world: RunsWorld) -> None:
        await world.runs.apply(MODEL, [a_run()])
        await world.end("v1-run", code=1)
        seen = await run_until(world, RunState.FAILED)
        assert seen.exit_code == 1
        assert "exit code 1" in seen.message
        await world.runs.apply(MODEL, [])
        await world.runs.apply(MODEL, [a_run()])
        assert (await run_until(world, RunState.FAILED)).message == seen.message
        assert await world.starts("v1-run") == 1

    async def test_the_run_s_own_words_count(self, world: RunsWorld) -> None:
        await world.runs.apply(MODEL, [a_run(limit=3)])
        await world.end("v1-run", code=EXIT_INVALID, result={"error": "data.sources is empty"})
        seen = await run_until(world, RunState.FAILED)
        assert (seen.reason, seen.message) == (Reason.INVALID, "data.sources is empty")

    async def test_memory_is_told_as_such(self, world: RunsWorld) -> None:
        await world.runs.apply(MODEL, [a_run()])
        await world.end("v1-run", code=EXIT_OUT_OF_MEMORY)
        assert (await run_until(world, RunState.FAILED)).reason is Reason.OOM_KILLED

    async def test_an_end_without_a_result_is_no_success(self, world: RunsWorld) -> None:
        await world.runs.apply(MODEL, [a_run()])
        await world.end("v1-run", code=0)
        assert (await run_until(world, RunState.FAILED)).result is None

    async def test_what_is_not_desired_is_stopped_and_can_go_on(self, world: RunsWorld) -> None:
        await world.runs.apply(MODEL, [a_run(limit=2)])
        await world.started("v1-run", 1)
        await world.runs.apply(MODEL, [])
        await run_until(world, RunState.LOST)
        await world.runs.apply(MODEL, [a_run(limit=2)])
        await world.started("v1-run", 2)
        await world.end("v1-run", code=0, result={})
        await run_until(world, RunState.SUCCEEDED)

    async def test_what_vanished_is_started_again(self, world: RunsWorld) -> None:
        await world.runs.apply(MODEL, [a_run(limit=2)])
        await world.started("v1-run", 1)
        await world.vanish("v1-run")
        await run_until(world, RunState.LOST)
        await world.runs.apply(MODEL, [a_run(limit=2)])
        await world.started("v1-run", 2)

    async def test_models_do_not_touch_one_another(self, world: RunsWorld) -> None:
        await world.runs.apply(MODEL, [a_run()])
        await world.started("v1-run", 1)
        assert await world.runs.observe("other") == {}
        await world.runs.apply("other", [])
        assert (await run_until(world, RunState.RUNNING)).name == "v1-run"


class BackendsWorld(Protocol):
    backends: Backends
    broken: str | None
    """What the engines answer instead of completions."""
    answers: list[dict[str, Any]]
    """Bodies of the completions that were answered."""

    def again(self) -> Backends:
        """The port as a new process sees it, from now on."""
        ...

    async def ready(self, name: str, replicas: int = 1) -> None:
        """So many replicas of its engine run."""
        ...

    async def fail(self, name: str, message: str) -> None:
        """The application cannot be deployed."""
        ...

    async def crash(self, name: str) -> None:
        """Its engine died and is started again."""
        ...


def a_backend(name: str = "v1", *, model: str = MODEL, **more: Any) -> DesiredBackend:
    serving = more.pop("serving", Serving())
    return DesiredBackend(
        name=name, version=name, model=model, artifact=ARTIFACT, serving=serving, **more
    )


async def backend_until(
    world: BackendsWorld, *states: BackendState, name: str = "v1", ready: int = 0
) -> BackendObservation:
    async with asyncio.timeout(SECONDS):
        while True:
            seen = (await world.backends.observe(MODEL)).get(name)
            if seen is not None and seen.state in states and seen.ready_replicas >= ready:
                return seen
            await asyncio.sleep(0.05)


class BackendsContract:
    async def test_it_is_ready_after_real_answers(self, world: BackendsWorld) -> None:
        assert await world.backends.observe(MODEL) == {}
        serving = Serving(warmup=Warmup(requests=3))
        await world.backends.apply(MODEL, [a_backend(serving=serving)])
        seen = await backend_until(world, BackendState.STARTING)
        assert (seen.version, seen.artifact, seen.serving) == ("v1", ARTIFACT, serving)
        assert world.answers == []
        await world.ready("v1")
        seen = await backend_until(world, BackendState.READY)
        assert (seen.ready_replicas, seen.reason) == (1, None)
        assert [body["stream"] for body in world.answers] == [False, True, False, True]
        assert {body["model"] for body in world.answers} == {MODEL}
        assert "v1" in seen.url
        await world.backends.apply(MODEL, [a_backend(serving=serving)])
        await backend_until(world, BackendState.READY)
        assert len(world.answers) == 4

    async def test_errors_are_no_answers(self, world: BackendsWorld) -> None:
        world.broken = "the kernel is missing"
        await world.backends.apply(MODEL, [a_backend()])
        await world.ready("v1")
        async with asyncio.timeout(SECONDS):
            while True:
                seen = await backend_until(world, BackendState.STARTING)
                if "the kernel is missing" in seen.message:
                    break
        world.broken = None
        await backend_until(world, BackendState.READY)

    async def test_a_failure_has_the_engine_s_reason(self, world: BackendsWorld) -> None:
        await world.backends.apply(MODEL, [a_backend()])
        await world.fail("v1", "Traceback ...\nRefused: slipway/DigestMismatch: weights changed\n")
        seen = await backend_until(world, BackendState.FAILED)
        assert (seen.reason, seen.message) == (Reason.DIGEST_MISMATCH, "weights changed")

    async def test_a_dead_engine_is_unhealthy_until_it_answers(self, world: BackendsWorld) -> None:
        await world.backends.apply(MODEL, [a_backend()])
        await world.ready("v1")
        await backend_until(world, BackendState.READY)
        await world.backends.apply(MODEL, [a_backend()])
        await world.crash("v1")
        seen = await backend_until(world, BackendState.UNHEALTHY)
        assert seen.reason is Reason.BACKEND_LOST
        await world.backends.apply(MODEL, [a_backend()])
        answers = len(world.answers)
        await world.ready("v1")
        await backend_until(world, BackendState.READY)
        assert len(world.answers) > answers

    async def test_more_replicas_are_counted_when_they_answer(self, world: BackendsWorld) -> None:
        serving = Serving(replicas=Replicas(min=1, max=3))
        await world.backends.apply(MODEL, [a_backend(serving=serving)])
        await world.ready("v1")
        await backend_until(world, BackendState.READY)
        await world.backends.apply(MODEL, [a_backend(serving=serving, replicas=2)])
        assert (await backend_until(world, BackendState.READY)).ready_replicas == 1
        await world.ready("v1", 2)
        await backend_until(world, BackendState.READY, ready=2)

    async def test_a_new_process_knows_who_was_ready(self, world: BackendsWorld) -> None:
        await world.backends.apply(MODEL, [a_backend()])
        await world.ready("v1")
        await backend_until(world, BackendState.READY)
        await world.backends.apply(MODEL, [a_backend()])
        world.broken = "the machine is busy"
        world.backends = world.again()
        seen = (await world.backends.observe(MODEL))["v1"]
        assert (seen.state, seen.ready_replicas) == (BackendState.READY, 1)

    async def test_what_is_not_listed_goes(self, world: BackendsWorld) -> None:
        await world.backends.apply(MODEL, [a_backend(), a_backend("v2")])
        assert set(await world.backends.observe(MODEL)) == {"v1", "v2"}
        await world.backends.apply(MODEL, [a_backend()])
        seen = (await world.backends.observe(MODEL)).get("v2")
        assert seen is None or seen.state is BackendState.STOPPING

    async def test_models_do_not_touch_one_another(self, world: BackendsWorld) -> None:
        await world.backends.apply(MODEL, [a_backend()])
        await world.backends.apply("other", [a_backend("o1", model="other")])
        assert set(await world.backends.observe(MODEL)) == {"v1"}
        assert set(await world.backends.observe("other")) == {"o1"}
        await world.backends.apply("other", [])
        assert (await backend_until(world, BackendState.STARTING)).name == "v1"
