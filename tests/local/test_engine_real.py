"""Real engines on a real Ray: two versions side by side, a refusal, a killed replica, no orphans.

One scenario, because each engine takes half a minute to start on two cores.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from ray_head import RayHead

from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.backend import ENGINE_DEPLOYMENT
from slipway_contracts.conditions import Reason
from slipway_contracts.serving import EngineArgs, Serving
from slipway_operator.core.decision import DesiredBackend
from slipway_operator.core.snapshot import BackendObservation, BackendState
from slipway_operator.errors import Transient
from slipway_operator.platforms.local.backends import LocalBackends
from slipway_operator.settings import Settings

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

MODEL = "demo"
SUPPORT = Path(__file__).parents[1] / "support"
MAKE = """
import sys
from pathlib import Path
from engine_artifact import tiny_llama
print(tiny_llama(Path(sys.argv[1]), seed=int(sys.argv[2])).model_dump_json(by_alias=True))
"""


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> list[ArtifactRef]:
    """Two good ones. Made in a child, because torch warns as it is imported."""
    root = tmp_path_factory.mktemp("artifacts")
    env = {**os.environ, "PYTHONPATH": str(SUPPORT), "HF_HUB_OFFLINE": "1"}
    made = []
    for seed in (1, 2):
        command = [sys.executable, "-c", MAKE, str(root / f"v{seed}"), str(seed)]
        done = subprocess.run(command, env=env, capture_output=True, check=True, text=True)
        made.append(ArtifactRef.model_validate_json(done.stdout.splitlines()[-1]))
    return made


@pytest.fixture
def head(tmp_path: Path) -> Iterator[RayHead]:
    with RayHead(tmp_path / "ray.log") as running:
        yield running


def desired(name: str, artifact: ArtifactRef, *, model: str = MODEL) -> DesiredBackend:
    serving = Serving(engine=EngineArgs(max_model_len=256, max_num_seqs=4))
    return DesiredBackend(name=name, version=name, model=model, artifact=artifact, serving=serving)


async def until(
    look: Callable[[], Awaitable[Any]], wanted: Callable[[Any], bool], seconds: float = 300
) -> Any:
    seen: Any = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    seen = await look()
                except Transient as error:
                    seen = error
                else:
                    if wanted(seen):
                        return seen
                await asyncio.sleep(0.5)
    except TimeoutError:
        raise AssertionError(f"never came; last seen: {seen}") from None


class World:
    """The adapter under test and a client beside it."""

    def __init__(self, head: RayHead, home: Path, session: aiohttp.ClientSession) -> None:
        self.head = head
        self.session = session
        self.backends = LocalBackends(
            Settings(
                dsn="postgresql://unused",
                home=home,
                serve_url=head.serve_url,
                dashboard_url=head.dashboard_url,
                max_engines=2,
            )
        )

    async def reaches(self, name: str, state: BackendState) -> BackendObservation:
        async def look() -> BackendObservation | None:
            return (await self.backends.observe(MODEL)).get(name)

        found: BackendObservation = await until(
            look, lambda seen: seen is not None and seen.state is state
        )
        return found

    async def gone(self, name: str) -> None:
        await until(lambda: self.backends.observe(MODEL), lambda seen: name not in seen)

    async def replica(self, name: str) -> psutil.Process:
        url = f"{self.head.dashboard_url}/api/serve/applications/"
        async with self.session.get(url) as response:
            shown = (await response.json())["applications"][name]
        (replica,) = shown["deployments"][ENGINE_DEPLOYMENT]["replicas"]
        return psutil.Process(replica["pid"])

    async def chat(self, name: str, *, stream: bool = False) -> str:
        body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": "hello"}],
            "max_tokens": 8,
            "stream": stream,
            "ignore_eos": True,
        }
        url = f"{self.head.serve_url}/{name}/v1/chat/completions"
        async with self.session.post(url, json=body) as response:
            text = await response.text()
            assert response.status == 200, text
        return text

    @asynccontextmanager
    async def traffic(self, name: str) -> AsyncIterator[list[str]]:
        """Requests to one version as long as the block lasts; yields what failed."""
        failed: list[str] = []
        stop = asyncio.Event()

        async def run() -> None:
            while not stop.is_set():
                try:
                    await self.chat(name)
                except (AssertionError, aiohttp.ClientError, TimeoutError) as error:
                    failed.append(repr(error))
                await asyncio.sleep(0.5)

        task = asyncio.create_task(run())
        try:
            yield failed
        finally:
            stop.set()
            await task


@pytest.fixture
async def world(head: RayHead, tmp_path: Path) -> AsyncIterator[World]:
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        made = World(head, tmp_path / "home", session)
        yield made
        await made.backends.aclose()


async def test_versions_side_by_side(world: World, artifacts: list[ArtifactRef]) -> None:
    first, second = (desired(f"v{n}", a) for n, a in enumerate(artifacts, start=1))
    await _the_first_answers(world, first)
    await _a_damaged_one_is_refused(world, first, artifacts[1])
    await _the_second_comes_and_goes(world, first, second)
    await _a_killed_replica_comes_back(world, first)
    family = world.head.family()
    assert world.head.stop() == []
    assert not [process for process in family if process.is_running()]
    with pytest.raises(Transient):
        await world.backends.observe(MODEL)


async def _the_first_answers(world: World, first: DesiredBackend) -> None:
    await world.backends.apply(MODEL, [first])
    seen = await world.reaches("v1", BackendState.READY)
    assert (seen.ready_replicas, seen.url) == (1, f"{world.head.serve_url}/v1")
    answer = json.loads(await world.chat("v1"))
    assert answer["model"] == MODEL
    assert answer["usage"]["completion_tokens"] == 8
    events = [line for line in (await world.chat("v1", stream=True)).splitlines() if line]
    assert all(line.startswith("data: ") for line in events)
    assert events[-1] == "data: [DONE]"
    assert len(events) > 3
    async with world.session.get(f"{seen.url}/v1/models") as response:
        assert [entry["id"] for entry in (await response.json())["data"]] == [MODEL]


async def _a_damaged_one_is_refused(
    world: World, first: DesiredBackend, artifact: ArtifactRef
) -> None:
    wrong = artifact.model_copy(update={"digest": "sha256:" + "0" * 64})
    async with world.traffic("v1") as failed:
        await world.backends.apply(MODEL, [first, desired("bad", wrong)])
        seen = await world.reaches("bad", BackendState.FAILED)
    assert seen.reason is Reason.DIGEST_MISMATCH
    assert "sha256:" in seen.message
    assert failed == []


async def _the_second_comes_and_goes(
    world: World, first: DesiredBackend, second: DesiredBackend
) -> None:
    before = await world.replica("v1")
    async with world.traffic("v1") as failed:
        await world.backends.apply(MODEL, [first, second])
        await world.reaches("v2", BackendState.READY)
        await world.backends.apply("other", [desired("o1", first.artifact, model="other")])
        third = (await world.backends.observe("other"))["o1"]
        assert third.state is BackendState.NO_CAPACITY
        await world.backends.apply("other", [])
        one, two = json.loads(await world.chat("v1")), json.loads(await world.chat("v2"))
        assert one["model"] == two["model"] == MODEL
        engines = (await world.replica("v2")).children(recursive=True)
        await world.backends.apply(MODEL, [first])
        await world.gone("v2")
    assert failed == []
    assert await world.replica("v1") == before
    _, alive = psutil.wait_procs(engines, timeout=30)
    assert alive == []


async def _a_killed_replica_comes_back(world: World, first: DesiredBackend) -> None:
    replica = await world.replica("v1")
    below = replica.children(recursive=True)
    assert below, "vLLM's engine core and worker"
    os.kill(replica.pid, signal.SIGKILL)
    await world.reaches("v1", BackendState.UNHEALTHY)
    await world.backends.apply(MODEL, [first])
    await world.reaches("v1", BackendState.READY)
    assert await world.replica("v1") != replica
    json.loads(await world.chat("v1"))
    _, alive = psutil.wait_procs(below, timeout=30)
    assert alive == []
