"""Fixtures of the gateway's hermetic tests: fake engines, routes in PostgreSQL, real processes.

Most tests share one gateway process and one database: ``demo`` gives each a Model of its own in
it. A test that stops, starves or reconfigures a gateway starts its own with ``start``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fake_engine import EngineScript, FakeEngine
from gateway_process import GatewayProcess, eventually
from postgres_server import PostgresServer, in_thread

from slipway_contracts.route import BackendRoute, GuardRoute, ModelRoute
from slipway_store.connect import Pool, open_pool
from slipway_store.routes import write_route

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def shared(postgres: PostgresServer, tmp_path_factory) -> Iterator[tuple[GatewayProcess, str]]:
    """One gateway for all tests that do not disturb it, and its database."""
    name = postgres.create()
    dsn = postgres.dsn(name)
    process = GatewayProcess(dsn, tmp_path_factory.mktemp("shared"), slot="shared").spawn()
    in_thread(lambda: asyncio.run(process.ready()))
    yield process, dsn
    in_thread(lambda: asyncio.run(process.stop()))
    postgres.drop(name)


class Demo:
    """A gateway, its database, and a Model of this test's own."""

    def __init__(self, gateway: GatewayProcess, pool: Pool, client: aiohttp.ClientSession) -> None:
        self.gateway = gateway
        self.pool = pool
        self.client = client
        self.model = f"demo-{next(_NUMBERS)}"

    async def publish(self, *backends: BackendRoute, **fields: Any) -> ModelRoute:
        """Write the Model's route and wait until the gateway applies it."""
        given = {"model": self.model, "salt": "salt", "backends": backends} | fields
        route = ModelRoute(**given)
        revision = await write_route(self.pool, route)

        async def applied() -> bool:
            state = await self.gateway.state()
            return bool(state) and state["routesRevision"] >= revision

        await eventually(applied, what=f"revision {revision}")
        return route

    def chat(self, text: str = "hello", **fields: Any) -> bytes:
        """A chat's body."""
        messages = [{"role": "user", "content": text}]
        return json.dumps({"model": self.model, "messages": messages} | fields).encode()

    def post(self, body: Any, path: str = "/v1/chat/completions", **more: Any) -> Any:
        """``async with demo.post(demo.chat()) as answer``."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(self.gateway.url + path, data=data, **more)

    async def ask(self, text: str = "hello", *, headers: Any = None, **fields: Any) -> Any:
        """(status, version, request id) of one chat."""
        async with self.post(self.chat(text, **fields), headers=headers) as answer:
            await answer.read()
        names = answer.headers
        return answer.status, names["x-slipway-version"], names["x-request-id"]

    async def rows(self, request_id: str, count: int = 1) -> list[dict[str, Any]]:
        """The log rows of a request in the order of attempts, once ``count`` are there."""

        async def arrived() -> list[dict[str, Any]] | None:
            found = await self.pool.fetch(
                "SELECT * FROM request_logs WHERE request_id = $1 ORDER BY attempt", request_id
            )
            return [dict(row) for row in found] if len(found) >= count else None

        return await eventually(arrived, what=f"{count} rows of {request_id}")


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield session


@pytest.fixture
async def demo(shared, client) -> AsyncIterator[Demo]:
    """A Model of its own in the shared gateway; publish a route before asking."""
    process, dsn = shared
    pool = await open_pool(dsn)
    yield Demo(process, pool, client)
    await pool.close()


@pytest.fixture
async def start(dsn: str, tmp_path: Path, client) -> AsyncIterator[Any]:
    """``await start(slot="1", body_limit=2000)`` → a Demo around an own process."""
    running: list[Demo] = []

    async def start(*, ready: bool = True, own_dsn: str = "", **settings: Any) -> Demo:
        process = GatewayProcess(own_dsn or dsn, tmp_path, **settings).spawn()
        one = Demo(process, await open_pool(dsn), client)
        running.append(one)
        if ready:
            await process.ready()
        return one

    yield start
    for one in running:
        await one.gateway.kill()
        await one.pool.close()


@pytest.fixture
async def v1() -> AsyncIterator[FakeEngine]:
    async with FakeEngine(EngineScript(name="v1")) as engine:
        yield engine


@pytest.fixture
async def v2() -> AsyncIterator[FakeEngine]:
    async with FakeEngine(EngineScript(name="v2")) as engine:
        yield engine


def arm(
    engine: FakeEngine | str, weight: int = 100, role: Any = "stable", version: str = ""
) -> Any:
    """A backend route; an engine given as a string is an address where nobody listens."""
    if isinstance(engine, str):
        return BackendRoute(version=version, weight=weight, url=engine, role=role)
    return BackendRoute(
        version=version or engine.script.name, weight=weight, url=engine.url, role=role
    )


def watched(**fields: Any) -> GuardRoute:
    """v2 is the candidate, v1 the stable version."""
    return GuardRoute(**{"candidate": "v2", "stable": "v1", "rollout_id": "r1"} | fields)


@pytest.fixture
def to() -> Any:
    return arm


@pytest.fixture
def guard() -> Any:
    return watched
