"""The delay queue: keys that are due, each held by one worker at a time.

A key that is added while it is worked on runs once more afterwards, so no event is lost; a key that
is added twice runs at the earlier time. Nothing here knows what a key means.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from contextlib import suppress


class DelayQueue:
    """``add`` keys, ``get`` the next due one, ``done`` it. For one event loop."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._active: set[str] = set()
        self._order = itertools.count()
        self._changed = asyncio.Event()
        # Whoever holds it waits for all: a change wakes one worker and not every idle one.
        self._turn = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._due)

    def waiting(self) -> int:
        """How many keys are due and wait for somebody to get them."""
        now = asyncio.get_running_loop().time()
        return sum(due <= now for due in self._due.values())

    def add(self, key: str, delay: float = 0.0) -> None:
        """Run ``key`` after ``delay`` seconds, or sooner if it already was to."""
        due = asyncio.get_running_loop().time() + delay
        if self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._heap, (due, next(self._order), key))
        self._changed.set()

    async def get(self) -> str:
        """The next due key that nobody works on; the caller owes a ``done``."""
        async with self._turn:
            while True:
                key, wait = self._next()
                if key is not None:
                    self._active.add(key)
                    return key
                self._changed.clear()
                # Not ``wait_for``: in Python 3.11 it loses a cancellation that comes with the
                # change.
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._changed.wait()

    def done(self, key: str) -> None:
        """The worker let go of ``key``."""
        self._active.discard(key)
        self._changed.set()

    def _next(self) -> tuple[str | None, float | None]:
        """A key that may run now, else the seconds until one might (None: nothing waits)."""
        now = asyncio.get_running_loop().time()
        held: list[tuple[float, int, str]] = []
        found: str | None = None
        wait: float | None = None
        while self._heap:
            due, order, key = heapq.heappop(self._heap)
            if self._due.get(key) != due:
                continue  # superseded by an earlier time
            if due > now:
                held.append((due, order, key))
                wait = due - now
                break
            if key in self._active:
                held.append((due, order, key))
                continue
            del self._due[key]
            found = key
            break
        for entry in held:
            heapq.heappush(self._heap, entry)
        return found, wait
