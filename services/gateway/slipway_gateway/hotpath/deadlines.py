"""One sweep for every deadline of every connection in the process.

A timer per request and per chunk costs more than the relay itself; instead each connection states
what it waits for and since when, and one task looks a few times a second. Deadlines are therefore
late by up to ``PERIOD``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Protocol

PERIOD = 0.1

logger = logging.getLogger(__name__)


class Watched(Protocol):
    """Something that waits. Both are quick; ``stop``: the process ends."""

    def check(self, now: float) -> None: ...

    def stop(self) -> None: ...


class Deadlines:
    """What is open now."""

    def __init__(self) -> None:
        self._open: set[Watched] = set()

    def add(self, watched: Watched) -> None:
        """Look at it from now on."""
        self._open.add(watched)

    def remove(self, watched: Watched) -> None:
        """Its waiting is over; safe to call twice."""
        self._open.discard(watched)

    def stop(self) -> None:
        """End what is still open."""
        for watched in tuple(self._open):
            watched.stop()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(PERIOD)
            now = time.monotonic()
            for watched in tuple(self._open):
                try:
                    watched.check(now)
                except Exception:
                    logger.exception("a deadline check failed")
                    self._open.discard(watched)
