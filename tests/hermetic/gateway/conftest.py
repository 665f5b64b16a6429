"""Fixtures of the gateway's hermetic tests: routes in PostgreSQL, fake engines, real processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fake_engine import EngineScript, FakeEngine
from gateway_process import GatewayProcess

from slipway_contracts.route import BackendRoute, ModelRoute
from slipway_store.connect import Pool, open_pool
from slipway_store.routes import write_route


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    pool = await open_pool(dsn)
    yield pool
    await pool.close()


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with FakeEngine(EngineScript(name="v1")) as engine:
        yield engine


@pytest.fixture
async def candidate() -> AsyncIterator[FakeEngine]:
    async with FakeEngine(EngineScript(name="v2")) as engine:
        yield engine


@pytest.fixture
async def start(
    dsn: str, tmp_path: Path
) -> AsyncIterator[Callable[..., Awaitable[GatewayProcess]]]:
    """``await start(slot="1", body_limit=2000)`` → a ready process; all are ended afterwards."""
    running: list[GatewayProcess] = []

    async def start(*, ready: bool = True, **settings: Any) -> GatewayProcess:
        settings = {"dsn": dsn, "state_dir": tmp_path} | settings
        process = GatewayProcess(settings.pop("dsn"), settings.pop("state_dir"), **settings)
        running.append(process.spawn())
        if ready:
            await process.ready()
        return process

    yield start
    for process in running:
        await process.kill()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield session


def backend(engine: FakeEngine, weight: int = 100, *, version: str = "", role: Any = "stable"):
    return BackendRoute(
        version=version or engine.script.name, weight=weight, url=engine.url, role=role
    )


def a_route(*backends: BackendRoute, **fields: Any) -> ModelRoute:
    return ModelRoute(**{"model": "demo", "salt": "salt", "backends": backends} | fields)


@pytest.fixture
def route() -> Callable[..., ModelRoute]:
    return a_route


@pytest.fixture
def to() -> Callable[..., BackendRoute]:
    return backend


@pytest.fixture
async def served(pool: Pool, engine: FakeEngine) -> ModelRoute:
    """The Model ``demo``, all of it on ``engine``."""
    route = a_route(backend(engine))
    await write_route(pool, route)
    return route


async def rows(pool: Pool, request_id: str, count: int = 1) -> list[dict[str, Any]]:
    """The log rows of a request, in the order of attempts, once ``count`` have arrived."""
    from gateway_process import eventually

    async def arrived() -> list[dict[str, Any]] | None:
        found = await pool.fetch(
            "SELECT * FROM request_logs WHERE request_id = $1 ORDER BY attempt", request_id
        )
        return [dict(row) for row in found] if len(found) >= count else None

    return await eventually(arrived, what=f"{count} rows of {request_id}")


@pytest.fixture
def log_rows(pool: Pool) -> Callable[..., Awaitable[list[dict[str, Any]]]]:
    async def read(request_id: str, count: int = 1) -> list[dict[str, Any]]:
        return await rows(pool, request_id, count)

    return read
