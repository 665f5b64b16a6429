"""The worker's own HTTP port: ``/healthz``, ``/readyz`` and ``/metrics``.

An answer at all says that the event loop turns; ``ready`` tells what is wrong, or nothing. Knows
neither the queue nor PostgreSQL.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@asynccontextmanager
async def serve_health(
    *, host: str, port: int, ready: Callable[[], str], metrics: Callable[[], bytes]
) -> AsyncGenerator[int]:
    """For as long as the context is open; gives the port (``port`` 0: a free one)."""

    async def alive(_: web.Request) -> web.StreamResponse:
        return web.Response(text="ok\n")

    async def is_ready(_: web.Request) -> web.StreamResponse:
        problem = ready()
        return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)

    async def figures(_: web.Request) -> web.StreamResponse:
        return web.Response(body=metrics(), headers={"Content-Type": METRICS_TYPE})

    app = web.Application()
    app.router.add_get("/healthz", alive)
    app.router.add_get("/readyz", is_ready)
    app.router.add_get("/metrics", figures)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
