"""The operator's own HTTP port: ``/healthz``, ``/readyz`` and ``/metrics``.

An answer at all says that the event loop turns; what else must hold is told by two functions that
return what is wrong, or nothing. Knows neither Kubernetes nor PostgreSQL.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Wrong = Callable[[], str]
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@asynccontextmanager
async def serve_health(
    *, host: str, port: int, alive: Wrong, ready: Wrong, metrics: Callable[[], bytes]
) -> AsyncGenerator[int]:
    """For as long as the context is open; gives the port (``port`` 0: a free one)."""

    async def figures(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": METRICS_TYPE})

    app = web.Application()
    app.router.add_get("/healthz", _check(alive))
    app.router.add_get("/readyz", _check(ready))
    app.router.add_get("/metrics", figures)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _check(wrong: Wrong) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        problem = wrong()
        return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)

    return answer
