"""Names of Models in the order of their changes, each once however often it changed meanwhile."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from slipway_operator.platforms.kubernetes.cache import Cache


class NamesChanged:
    """All that the cache knows at first, then what it tells, for as long as the context is open."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._names: dict[str, None] = {}
        self._some = asyncio.Event()

    def __enter__(self) -> Self:
        self._stop = self._cache.listen(self._told)
        for name in sorted(self._cache.models()):
            self._told(name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    async def next(self) -> str:
        """The next name; waits until there is one."""
        while not self._names:
            self._some.clear()
            await self._some.wait()
        name = next(iter(self._names))
        del self._names[name]
        return name

    def _told(self, name: str) -> None:
        self._names[name] = None
        self._some.set()
