"""A pool on the test's fresh database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from slipway_store.connect import Pool, open_pool


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    """Two connections are enough for two writers in each other's way."""
    opened = await open_pool(dsn, max_size=4)
    yield opened
    await opened.close()
