"""The local operator's own port: health, and a page with the catalogue's names and no others."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from fake_serve import FakeServe
from free_ports import free_port
from gateway_process import eventually
from log_lines import check_log
from metric_pages import samples, strays

from slipway_contracts.metrics.kinds import Owner
from slipway_store.connect import open_pool
from slipway_store.objects import ObjectStore


@pytest.fixture
async def serve() -> AsyncIterator[str]:
    async with FakeServe() as fake:
        yield fake.url


@pytest.fixture
async def operator(dsn: str, tmp_path: Path, serve: str) -> AsyncIterator[str]:
    """Its address; it is ended by SIGTERM, and well."""
    port = free_port()
    env = {k: v for k, v in os.environ.items() if not k.startswith(("SLIPWAY_", "OTEL_"))}
    env |= {
        "SLIPWAY_OPERATOR_DSN": dsn,
        "SLIPWAY_OPERATOR_HOME": str(tmp_path),
        "SLIPWAY_OPERATOR_HEALTH_PORT": str(port),
        "SLIPWAY_OPERATOR_DASHBOARD_URL": serve,
        "SLIPWAY_OPERATOR_SERVE_URL": serve,
    }
    file = tmp_path / "operator.log"
    with file.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "slipway_operator"), env=env, stdout=log, stderr=log
        )
    yield f"http://127.0.0.1:{port}"
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(60):
            assert await process.wait() == 0, file.read_text()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    check_log(file, service="operator")


async def asked(url: str) -> tuple[int, str]:
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.text()
    except aiohttp.ClientError:
        return 0, ""


async def test_it_tells_its_models_and_versions_and_how_it_is(operator: str, dsn: str) -> None:
    pool = await open_pool(dsn)
    objects = ObjectStore(pool)
    await objects.create("Model", "tiny", {})
    # It waits for a base that nobody has, so that nothing runs.
    source = {"adapter": {"base": "nobody", "uri": "file:///nowhere"}}
    await objects.create("ModelVersion", "tiny-v1", {"model": "tiny", "source": source})
    await pool.close()
    wanted = {
        ("slipway_model_info", ("text-generation", "tiny")),
        ("slipway_operator_connected", ()),
        ("slipway_operator_leader", ()),
    }

    async def told() -> str | None:
        status, text = await asked(operator + "/metrics")
        if status != 200:
            return None
        found = {
            (s.name, tuple(v for _, v in sorted(s.labels.items(), reverse=True)))
            for s in samples(text)
            if s.value == 1
        }
        phases = [s.labels for s in samples(text) if s.name == "slipway_version_phase"]
        return text if wanted <= found and phases else None

    text = await eventually(told, what="the page")
    assert not strays(text, Owner.OPERATOR)
    (phase,) = [s.labels for s in samples(text) if s.name == "slipway_version_phase"]
    assert (phase["model"], phase["version"]) == ("tiny", "tiny-v1")
    assert "_created" not in text
    assert (await asked(operator + "/healthz"))[0] == 200
    assert (await asked(operator + "/readyz"))[0] == 200
