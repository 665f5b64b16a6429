"""Calls that are no inference but cost as much as one to take: questions, files, batches.

Each counts as a request of its caller's limits and as one of its requests at the same time; its
tokens are counted when the worker asks for it. Looking at what became of them is free.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from slipway_gateway.errors import RateLimited
from slipway_gateway.metrics import Metrics
from slipway_gateway.tenants.caller import Caller
from slipway_gateway.tenants.limits import Lease, Limits

# As on the hot path: a chunk of quota comes within milliseconds.
LEASE_WAIT = 0.01
LEASE_TRIES = 20


@asynccontextmanager
async def counted(limits: Limits, metrics: Metrics, caller: Caller) -> AsyncIterator[None]:
    """Raises RateLimited, also where no tokens are left: the answer could not be had."""
    lease = await _entered(limits, metrics, caller)
    try:
        yield
    finally:
        lease.settle(None, None)


async def _entered(limits: Limits, metrics: Metrics, caller: Caller) -> Lease:
    tries = 0
    while True:
        try:
            return limits.enter(caller, "", time.monotonic(), tokens=1)
        except RateLimited as error:
            if not error.is_leasing or tries >= LEASE_TRIES:
                metrics.limited(caller.tenant, error.param or "")
                raise
        tries += 1
        await asyncio.sleep(LEASE_WAIT)
