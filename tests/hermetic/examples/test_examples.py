"""The examples against a real gateway with a fake engine; their manifests are valid."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest
from fake_engine import EngineScript, FakeEngine
from gateway_process import GatewayProcess

from slipway_cli.manifests import read_manifests
from slipway_contracts.route import BackendRoute, ModelRoute
from slipway_store.connect import open_pool
from slipway_store.routes import write_route

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
async def gateway(dsn, tmp_path):
    async with FakeEngine(EngineScript(name="v1", model="jargon")) as engine:
        pool = await open_pool(dsn)
        backend = BackendRoute(version="v1", weight=100, url=engine.url)
        await write_route(
            pool, ModelRoute(model="jargon", salt="s", default=True, backends=(backend,))
        )
        process = GatewayProcess(dsn, tmp_path).spawn()
        try:
            await process.ready()
            yield process
        finally:
            await process.kill()
            await pool.close()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ([sys.executable, "python/client.py"], "(jargon v1, request"),
        ([sys.executable, "python/openai_sdk.py"], "word"),
        (["node", "javascript/client.mjs"], "(jargon v1, request"),
    ],
    ids=["python", "openai", "javascript"],
)
async def test_a_client_runs(gateway, command, expected):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed on this machine")
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=EXAMPLES,
        env=os.environ | {"SLIPWAY_URL": gateway.url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode()
    assert expected in output.decode()


def test_the_manifests_are_valid():
    resources = read_manifests([str(EXAMPLES / "manifests")])
    assert {resource.metadata.name for resource in resources} == {"assistant", "v5", "imported-1"}
