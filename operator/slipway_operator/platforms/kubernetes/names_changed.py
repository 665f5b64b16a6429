"""Names of Models in the order of their changes, each once however often it changed meanwhile.

Changes come in bursts (a Job, its pod, the pod's place, our own writes), and each pass costs the
same however much it finds: so a name is told a moment after its first change, and not again before
a longer moment has passed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from slipway_operator.platforms.kubernetes.cache import Cache

BURST_SECONDS = 0.1
REST_SECONDS = 0.4


class NamesChanged:
    """All that the cache knows at first, then what it tells, for as long as the context is open."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        # Name → when to tell it.
        self._names: dict[str, float] = {}
        # Name → when it may be told again; in that order.
        self._rest: dict[str, float] = {}
        self._some = asyncio.Event()

    def __enter__(self) -> Self:
        self._stop = self._cache.listen(self._told)
        self._names = dict.fromkeys(sorted(self._cache.models()), 0.0)
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
        while True:
            name = min(self._names, key=self._names.__getitem__, default=None)
            wait = self._names[name] - _now() if name is not None else None
            if name is not None and wait is not None and wait <= 0:
                del self._names[name]
                self._tire(name)
                return name
            self._some.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._some.wait()

    def _tire(self, name: str) -> None:
        now = _now()
        while self._rest and next(iter(self._rest.values())) <= now:
            del self._rest[next(iter(self._rest))]
        self._rest.pop(name, None)
        self._rest[name] = now + REST_SECONDS

    def _told(self, name: str) -> None:
        if name in self._names:
            return
        self._names[name] = max(_now() + BURST_SECONDS, self._rest.get(name, 0.0))
        self._some.set()


def _now() -> float:
    return asyncio.get_running_loop().time()
