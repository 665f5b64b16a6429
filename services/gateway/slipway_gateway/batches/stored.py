"""Asking PostgreSQL from a cold route: within a time, and 503 while it is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from slipway_gateway.errors import NoCapacity
from slipway_store.connect import Pool
from slipway_store.errors import UNAVAILABLE

if TYPE_CHECKING:
    from slipway_gateway.app import Gateway

T = TypeVar("T")
STORE_TIMEOUT = 20.0


async def stored(gateway: Gateway, work: Callable[[Pool], Awaitable[T]]) -> T:
    """``work`` with the gateway's pool. Raises NoCapacity."""
    pool = gateway.link.pool
    away = NoCapacity("files and batches cannot be read now; try again in a few seconds")
    if pool is None:
        raise away
    try:
        async with asyncio.timeout(STORE_TIMEOUT):
            return await work(pool)
    except UNAVAILABLE as error:
        raise away from error
