"""Warm-ups under way: one task a backend, awaited a little and looked at again by the next pass.

A pass must not wait minutes for one engine; an engine that is well answers within the patience.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Set

from slipway_contracts.backend import BackendArgs
from slipway_operator.errors import Transient
from slipway_operator.platforms.kubernetes.warmth import Warmth
from slipway_operator.platforms.serving.warm_up import warm_up

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 2.0


class Warming:
    """Keyed by the uid of the backend's object."""

    def __init__(self, *, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._tasks: dict[str, tuple[Warmth, asyncio.Task[bool]]] = {}
        self._troubles: dict[str, str] = {}

    async def warmed(self, uid: str, url: str, args: BackendArgs, *, wanted: Warmth) -> bool:
        """Whether exactly ``wanted`` has answered. Starts what is not under way."""
        known = self._tasks.get(uid)
        if known is None or known[0] != wanted:
            if known is not None:
                known[1].cancel()
            work = self._warm_up(uid, url, args, replicas=wanted.replicas)
            known = (wanted, asyncio.create_task(work))
            self._tasks[uid] = known
        task = known[1]
        await asyncio.wait([task], timeout=self._patience)
        if not task.done():
            return False
        del self._tasks[uid]
        return not task.cancelled() and task.result()

    def trouble(self, uid: str) -> str:
        """What the last warm-up met; empty when nothing went wrong."""
        return self._troubles.get(uid, "")

    def keep(self, uids: Set[str]) -> None:
        """Forget all other backends."""
        for uid in self._tasks.keys() - uids:
            self._tasks.pop(uid)[1].cancel()
        for uid in self._troubles.keys() - uids:
            del self._troubles[uid]

    async def aclose(self) -> None:
        """End what is under way."""
        tasks = [task for _, task in self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _warm_up(self, uid: str, url: str, args: BackendArgs, *, replicas: int) -> bool:
        try:
            await warm_up(url, model=args.model, warmup=args.serving.warmup, replicas=replicas)
        except Transient as error:
            log.info("warm-up failed", extra={"url": url, "error": str(error)})
            self._troubles[uid] = str(error)
            return False
        self._troubles.pop(uid, None)
        return True
