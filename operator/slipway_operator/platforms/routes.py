"""Routes to the gateways through PostgreSQL, on both platforms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from slipway_contracts.route import CHANNEL_GUARD, ModelRoute
from slipway_operator.core.snapshot import RoutesObservation
from slipway_operator.platforms.heartbeats import Heartbeats
from slipway_operator.platforms.store_errors import operator_errors
from slipway_store import routes
from slipway_store.connect import Listener, Pool


class PostgresRoutes:
    """``ports.Routes``. A route that was just observed is not written again."""

    def __init__(self, pool: Pool, beats: Heartbeats | None = None) -> None:
        self._pool = pool
        self._beats = beats or Heartbeats(pool)
        # Digest of the stored body by Model, from its observation until it is written.
        self._seen: dict[str, str] = {}

    async def observe(self, model: str) -> RoutesObservation:
        """The stored route and the lowest revision among the live gateways (0 with none)."""
        with operator_errors():
            route = await routes.read_route(self._pool, model)
        beats = await self._beats.live()
        digest = self._seen[model] = route.digest() if route else ""
        return RoutesObservation(
            revision=route.revision if route else 0,
            applied=min((beat.revision for beat in beats), default=0),
            live_gateways=len(beats),
            body_digest=digest,
            stored=route,
        )

    async def apply(self, model: str, route: ModelRoute | None) -> None:
        """Write and notify if the body differs; None takes the route away."""
        if self._seen.pop(model, None) == (route.digest() if route else ""):
            return
        with operator_errors():
            if route is None:
                await routes.delete_route(self._pool, model)
            else:
                await routes.write_route(self._pool, route)


async def watch_guard(dsn: str) -> AsyncIterator[str]:
    """Names of Models whose guard tripped at a gateway, at once; a trip is not to wait for a timer.

    Trips while the connection was away are found by the next timed pass.
    """
    tripped: asyncio.Queue[str] = asyncio.Queue()
    async with Listener(dsn, [CHANNEL_GUARD], lambda _, model: tripped.put_nowait(model)):
        while True:
            yield await tripped.get()
