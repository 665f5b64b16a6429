"""Fixtures of the hostility tests: one gateway a module, driven by campaigns.

A campaign sends a whole table at once in a loop of its own (a stall then costs its deadline once,
not once a row); each test afterwards judges one row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from hostile_site import Site
from postgres_server import PostgresServer, in_thread


@pytest.fixture(scope="module")
def module_dsn(postgres: PostgresServer) -> Iterator[str]:
    """A fresh, migrated database for the module."""
    name = postgres.create()
    yield postgres.dsn(name)
    postgres.drop(name)


@pytest.fixture(scope="module")
def campaign(module_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """``campaign(work, **settings)`` → what ``await work(site)`` returns, of a running gateway."""
    folder = tmp_path_factory.mktemp("hostile")
    sites: list[Site] = []

    def run(work: Callable[[Site], Coroutine[Any, Any, Any]], **settings: Any) -> Any:
        site = Site(module_dsn, folder, slot=f"hostile-{len(sites)}", **settings)
        sites.append(site)
        results: list[Any] = []

        async def whole() -> None:
            await site.start()
            results.append(await work(site))

        in_thread(lambda: asyncio.run(whole()))
        return results[0]

    yield run
    for site in sites:
        in_thread(lambda site=site: asyncio.run(site.stop()))
