"""Fixtures: a collector of traces, and a gateway with a fake engine that delivers to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from answer_site import Site
from fake_engine import EngineScript, FakeEngine
from gateway_process import GatewayProcess
from otlp_collector import Collector

from slipway_store.connect import open_pool


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with Collector() as one:
        yield one


@pytest.fixture
def open_site(dsn: str, tmp_path: Path) -> Any:
    """``async with open_site(environ={…}) as site``."""

    @asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[Site]:
        pool = await open_pool(dsn)
        async with FakeEngine(EngineScript(name="v1")) as engine:
            gateway = GatewayProcess(dsn, tmp_path, **settings).spawn()
            await gateway.ready()
            site = Site(gateway, engine, pool, tmp_path, dsn)
            await site.publish()
            try:
                yield site
            finally:
                for worker in site.workers:
                    await worker.stop()
                await gateway.stop()
        pool.terminate()

    return opened
