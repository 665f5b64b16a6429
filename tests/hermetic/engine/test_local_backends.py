"""The local backends against a Serve that is scripted: state, ownership, capacity, warm-up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fake_serve import FakeServe

from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.conditions import Reason
from slipway_contracts.serving import Replicas, Serving, Warmup
from slipway_operator.core.decision import DesiredBackend
from slipway_operator.core.snapshot import BackendObservation, BackendState
from slipway_operator.errors import Terminal, Transient
from slipway_operator.platforms.local.backends import LocalBackends
from slipway_operator.settings import Settings

ARTIFACT = ArtifactRef(uri="file:///artifacts/v1", digest="sha256:" + "0" * 64)


def desired(name: str, *, model: str = "tiny", **more: object) -> DesiredBackend:
    serving = more.pop("serving", Serving())
    return DesiredBackend(
        name=name, version=name, model=model, artifact=ARTIFACT, serving=serving, **more
    )


@pytest.fixture
async def serve() -> AsyncIterator[FakeServe]:
    async with FakeServe() as running:
        yield running


@pytest.fixture
async def backends(serve: FakeServe, tmp_path: Path) -> AsyncIterator[LocalBackends]:
    adapter = an_adapter(serve, tmp_path)
    yield adapter
    await adapter.aclose()


def an_adapter(serve: FakeServe, home: Path, *, engines: int = 2) -> LocalBackends:
    return LocalBackends(
        Settings(
            dsn="postgresql://unused",
            home=home,
            serve_url=serve.url,
            dashboard_url=serve.url,
            max_engines=engines,
        )
    )


async def state_of(adapter: LocalBackends, name: str, model: str = "tiny") -> BackendObservation:
    return (await adapter.observe(model))[name]


async def test_a_backend_starts_and_is_ready_after_real_answers(
    serve: FakeServe, backends: LocalBackends
) -> None:
    assert await backends.observe("tiny") == {}
    await backends.apply("tiny", [desired("v1", serving=Serving(warmup=Warmup(requests=3)))])
    seen = await state_of(backends, "v1")
    assert (seen.state, seen.ready_replicas) == (BackendState.STARTING, 0)
    assert serve.answers == []
    serve.ready("v1")
    seen = await state_of(backends, "v1")
    assert (seen.state, seen.ready_replicas) == (BackendState.READY, 1)
    assert seen.url == f"{serve.url}/v1"
    sent = [body for _, body in serve.answers]
    assert [body["stream"] for body in sent] == [False, True, False, True]
    assert {body["model"] for body in sent} == {"tiny"}
    await backends.observe("tiny")
    assert len(serve.answers) == 4


async def test_what_serve_is_told(serve: FakeServe, backends: LocalBackends) -> None:
    serving = Serving(replicas=Replicas(min=1, max=4, target=8))
    await backends.apply("tiny", [desired("v1", serving=serving, replicas=2)])
    (put,) = serve.puts
    assert put["proxy_location"] == "HeadOnly"
    assert put["http_options"]["host"] == "127.0.0.1"
    (app,) = put["applications"]
    assert (app["name"], app["route_prefix"]) == ("v1", "/v1")
    assert app["import_path"] == "slipway_engine.llm:build"
    assert app["args"]["artifact"] == ARTIFACT.wire()
    (scaled,) = app["deployments"]
    assert scaled["autoscaling_config"] == {
        "min_replicas": 2,
        "max_replicas": 4,
        "target_ongoing_requests": 8,
    }


async def test_an_engine_that_answers_with_errors_is_not_ready(
    serve: FakeServe, backends: LocalBackends
) -> None:
    await backends.apply("tiny", [desired("v1")])
    serve.ready("v1")
    serve.broken = "the kernel is missing"
    seen = await state_of(backends, "v1")
    assert seen.state is BackendState.STARTING
    assert "the kernel is missing" in seen.message
    serve.broken = None
    assert (await state_of(backends, "v1")).state is BackendState.READY


async def test_the_same_desire_writes_nothing(serve: FakeServe, backends: LocalBackends) -> None:
    for _ in range(3):
        await backends.apply("tiny", [desired("v1")])
    assert len(serve.puts) == 1
    await backends.apply("tiny", [])
    await backends.apply("tiny", [])
    assert len(serve.puts) == 2


async def test_models_do_not_touch_one_another(serve: FakeServe, backends: LocalBackends) -> None:
    await backends.apply("tiny", [desired("v1")])
    serve.ready("v1")
    await backends.apply("other", [desired("o1", model="other")])
    serve.ready("o1")
    assert set(await backends.observe("tiny")) == {"v1"}
    assert set(await backends.observe("other")) == {"o1"}
    await backends.apply("other", [])
    assert serve.apps["v1"].builds == 1
    assert (await state_of(backends, "v1")).state is BackendState.READY
    assert (await state_of(backends, "o1", "other")).state is BackendState.STOPPING
    serve.finish_deleting()
    assert await backends.observe("other") == {}


async def test_applications_of_others_stay(serve: FakeServe, backends: LocalBackends) -> None:
    foreign = {"name": "mine", "route_prefix": "/mine", "import_path": "a:b", "args": {}}
    serve._apply("mine", foreign)
    await backends.apply("tiny", [desired("v1")])
    assert [app["name"] for app in serve.puts[-1]["applications"]] == ["mine", "v1"]
    await backends.apply("tiny", [])
    assert serve.puts[-1]["applications"] == [foreign]
    assert await backends.observe("tiny") == {"v1": await state_of(backends, "v1")}


async def test_writers_do_not_lose_one_another(serve: FakeServe, backends: LocalBackends) -> None:
    await asyncio.gather(
        backends.apply("one", [desired("a", model="one")]),
        backends.apply("two", [desired("b", model="two")]),
    )
    assert set(serve.apps) == {"a", "b"}
    assert all(app.status != "DELETING" for app in serve.apps.values())


async def test_scaling_does_not_build_again(serve: FakeServe, backends: LocalBackends) -> None:
    await backends.apply("tiny", [desired("v1")])
    await backends.apply("tiny", [desired("v1", replicas=2)])
    app = serve.apps["v1"]
    assert (app.builds, app.applied) == (1, 2)
    assert app.config["deployments"][0]["num_replicas"] == 2
    serve.ready("v1")
    assert (await state_of(backends, "v1")).ready_replicas == 1
    serve.ready("v1")
    assert (await state_of(backends, "v1")).ready_replicas == 2


async def test_arguments_of_a_name_never_change(serve: FakeServe, backends: LocalBackends) -> None:
    await backends.apply("tiny", [desired("v1")])
    before = serve.apps["v1"].config["args"]
    await backends.apply("tiny", [desired("v1", serving=Serving(drain_seconds=99))])
    assert serve.apps["v1"].config["args"] == before
    assert serve.apps["v1"].builds == 1


async def test_a_third_engine_has_no_room(serve: FakeServe, backends: LocalBackends) -> None:
    await backends.apply("tiny", [desired("v1"), desired("v2")])
    await backends.apply("other", [desired("o1", model="other")])
    assert set(serve.apps) == {"v1", "v2"}
    assert len(serve.puts) == 1
    seen = await state_of(backends, "o1", "other")
    assert (seen.state, seen.reason) == (BackendState.NO_CAPACITY, Reason.INSUFFICIENT_CAPACITY)
    assert "v1, v2" in seen.message
    # One that is stopping still has its memory.
    await backends.apply("tiny", [desired("v1")])
    await backends.apply("other", [desired("o1", model="other")])
    assert (await state_of(backends, "o1", "other")).state is BackendState.NO_CAPACITY
    serve.finish_deleting()
    await backends.apply("other", [desired("o1", model="other")])
    assert (await state_of(backends, "o1", "other")).state is BackendState.STARTING
    assert set(serve.apps) == {"v1", "o1"}


async def test_who_is_no_longer_wanted_waits_no_longer(serve: FakeServe, tmp_path: Path) -> None:
    adapter = an_adapter(serve, tmp_path, engines=1)
    await adapter.apply("tiny", [desired("v1"), desired("v2")])
    assert (await state_of(adapter, "v2")).state is BackendState.NO_CAPACITY
    await adapter.apply("tiny", [desired("v1")])
    assert set(await adapter.observe("tiny")) == {"v1"}


@pytest.mark.parametrize(
    ("message", "engine", "reason", "said"),
    [
        pytest.param(
            "Deploying app 'v1' failed with exception:\nTraceback ...\n"
            "slipway_engine.errors.Refused: slipway/DigestMismatch: model.safetensors changed\n",
            "",
            Reason.DIGEST_MISMATCH,
            "model.safetensors changed",
            id="digest",
        ),
        pytest.param(
            "Failed to update the deployments ['slipway:engine'].",
            "RuntimeError: Traceback ...\nNotReady: slipway/StartupFailed: no completion in 300 s",
            Reason.STARTUP_FAILED,
            "no completion in 300 s",
            id="the deployment says why",
        ),
        pytest.param(
            "Failed to update the deployments ['slipway:engine'].",
            "Traceback (most recent call last):\n  File x\nValueError: bad rope\n\nmore text",
            Reason.STARTUP_FAILED,
            "ValueError: bad rope",
            id="any other error",
        ),
        pytest.param(
            "Failed",
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB",
            Reason.OOM_KILLED,
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB",
            id="out of memory",
        ),
        pytest.param("", "", Reason.STARTUP_FAILED, "no message; read Ray's logs", id="silent"),
    ],
)
async def test_a_failure_has_a_reason_and_one_line(
    serve: FakeServe,
    backends: LocalBackends,
    message: str,
    engine: str,
    reason: Reason,
    said: str,
) -> None:
    await backends.apply("tiny", [desired("v1")])
    serve.fail("v1", message=message, engine_message=engine)
    seen = await state_of(backends, "v1")
    assert (seen.state, seen.reason, seen.message) == (BackendState.FAILED, reason, said)


async def test_a_failed_engine_leaves_room(serve: FakeServe, backends: LocalBackends) -> None:
    await backends.apply("tiny", [desired("v1"), desired("v2")])
    serve.fail("v2", message="no")
    await backends.apply("other", [desired("o1", model="other")])
    assert (await state_of(backends, "o1", "other")).state is BackendState.STARTING


async def test_a_node_without_room_is_no_capacity(
    serve: FakeServe, backends: LocalBackends
) -> None:
    await backends.apply("tiny", [desired("v1")])
    serve.apps["v1"].engine_message = (
        "Deployment 'engine' has 1 replicas that have taken more than 30s to be scheduled. "
        'Resources required for each replica: {"CPU": 2}, total resources available: {}.'
    )
    seen = await state_of(backends, "v1")
    assert (seen.state, seen.reason) == (BackendState.NO_CAPACITY, Reason.INSUFFICIENT_CAPACITY)


async def test_a_dead_engine_is_unhealthy_and_comes_back_after_answers(
    serve: FakeServe, backends: LocalBackends
) -> None:
    await backends.apply("tiny", [desired("v1")])
    serve.ready("v1")
    await backends.observe("tiny")
    serve.crash("v1")
    seen = await state_of(backends, "v1")
    assert (seen.state, seen.reason) == (BackendState.UNHEALTHY, Reason.BACKEND_LOST)
    answers = len(serve.answers)
    serve.ready("v1")
    assert (await state_of(backends, "v1")).state is BackendState.READY
    assert len(serve.answers) > answers


async def test_a_redeploy_in_passing_is_not_an_outage(
    serve: FakeServe, backends: LocalBackends
) -> None:
    # Serve calls an application DEPLOYING whenever a list with it in it was put, changed or not.
    await backends.apply("tiny", [desired("v1")])
    serve.ready("v1")
    await backends.observe("tiny")
    serve.apps["v1"].status = "DEPLOYING"
    assert (await state_of(backends, "v1")).state is BackendState.READY


async def test_a_new_controller_knows_who_was_ready(serve: FakeServe, tmp_path: Path) -> None:
    first = an_adapter(serve, tmp_path)
    await first.apply("tiny", [desired("v1")])
    serve.ready("v1")
    await first.observe("tiny")
    serve.broken = "the machine is busy"
    second = an_adapter(serve, tmp_path)
    assert (await state_of(second, "v1")).state is BackendState.READY
    (tmp_path / "backends.json").write_text("{")
    serve.broken = None
    third = an_adapter(serve, tmp_path)
    assert (await state_of(third, "v1")).state is BackendState.READY


async def test_a_name_that_comes_back_while_it_goes(
    serve: FakeServe, backends: LocalBackends
) -> None:
    await backends.apply("tiny", [desired("v1")])
    await backends.apply("tiny", [])
    assert (await state_of(backends, "v1")).state is BackendState.STOPPING
    await backends.apply("tiny", [desired("v1")])
    assert [app["name"] for app in serve.puts[-1]["applications"]] == ["v1"]


async def test_serve_refuses_the_list(serve: FakeServe, backends: LocalBackends) -> None:
    serve.refuse = "two applications with one route"
    with pytest.raises(Terminal, match="one route"):
        await backends.apply("tiny", [desired("v1")])


async def test_ray_away_is_transient(tmp_path: Path) -> None:
    async with FakeServe() as serve:
        adapter = an_adapter(serve, tmp_path)
    with pytest.raises(Transient, match="is Ray running"):
        await adapter.observe("tiny")
    with pytest.raises(Transient):
        await adapter.apply("tiny", [desired("v1")])
