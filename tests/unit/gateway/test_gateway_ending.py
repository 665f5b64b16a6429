"""Background work that is cancelled at the moment at which it fails ends all the same."""

from __future__ import annotations

import asyncio

from slipway_gateway.app import _forever


async def test_a_cancellation_that_an_error_swallows():
    running = asyncio.Event()

    async def work() -> None:
        running.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            raise ConnectionError("at the same moment") from None

    task = _forever("work", work)
    await running.wait()
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=60)
    assert done
    assert task.cancelled()
