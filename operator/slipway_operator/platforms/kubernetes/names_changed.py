"""Names of Models in the order of their changes, each once however often it changed meanwhile.

Changes come in bursts (a Job, its pod, the pod's place, our own writes), and each pass costs the
same however much it finds: so a name is told a moment after its first change.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from slipway_operator.platforms.kubernetes.cache import Cache

BURST_SECONDS = 0.1


class NamesChanged:
    """All that the cache knows at first, then what it tells, for as long as the context is open."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        # Name → when to tell it; in that order, since each waits equally long.
        self._names: dict[str, float] = {}
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
        while not self._names:
            self._some.clear()
            await self._some.wait()
        name, due = next(iter(self._names.items()))
        await asyncio.sleep(due - _now())
        del self._names[name]
        return name

    def _told(self, name: str) -> None:
        self._names.setdefault(name, _now() + BURST_SECONDS)
        self._some.set()


def _now() -> float:
    return asyncio.get_running_loop().time()
