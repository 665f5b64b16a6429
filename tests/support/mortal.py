"""An operator that dies at a write: the write is done, its answer never comes, then all is silent.

``Boundaries`` counts the writes of one operator, Kubernetes' and routes', and says which is the
last. Dying after the n-th write leaves the same world as dying before the next one.
"""

from __future__ import annotations

import asyncio
from typing import Any

from slipway_contracts.route import ModelRoute

WRITES = ("create", "apply", "replace", "patch", "patch_status", "delete")


class Boundaries:
    """``last``: the number of the write after which it is dead; None: it lives."""

    def __init__(self, last: int | None = None) -> None:
        self.count = 0
        self.dead = asyncio.Event()
        self._last = last

    async def before(self) -> None:
        """Nobody who is dead writes."""
        if self.dead.is_set():
            await _silence()
        self.count += 1

    async def after(self) -> None:
        if self._last is not None and self.count >= self._last:
            self.dead.set()
        if self.dead.is_set():
            await _silence()


class MortalApi:
    """``Api``, as far as its boundaries let it."""

    def __init__(self, api: Any, boundaries: Boundaries) -> None:
        self._api = api
        self._boundaries = boundaries

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._api, name)
        if name not in WRITES:
            return method

        async def write(*arguments: Any, **named: Any) -> Any:
            await self._boundaries.before()
            answer = await method(*arguments, **named)
            await self._boundaries.after()
            return answer

        return write


class MortalRoutes:
    """``ports.Routes`` that outlive the operator; only a route that differs is a write."""

    def __init__(self, routes: Any, boundaries: Boundaries) -> None:
        self._routes = routes
        self._boundaries = boundaries

    async def observe(self, model: str) -> Any:
        return await self._routes.observe(model)

    async def apply(self, model: str, route: ModelRoute | None) -> None:
        old = self._routes.routes.get(model)
        if (old.digest() if old else None) == (route.digest() if route else None):
            return
        await self._boundaries.before()
        await self._routes.apply(model, route)
        await self._boundaries.after()


async def _silence() -> None:
    """Until whoever runs it is cancelled."""
    await asyncio.Event().wait()
