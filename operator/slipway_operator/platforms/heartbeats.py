"""The gateways' heartbeats, read once for all Models that are looked at in the same moment.

They beat every few seconds; hundreds of Models that ask for them in one second need not each read
them. Knows nothing of routes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from slipway_contracts.route import Heartbeat
from slipway_operator.platforms.store_errors import operator_errors
from slipway_store.connect import Pool
from slipway_store.routes import live_heartbeats


class Heartbeats:
    """``live`` gives what is at most ``fresh_seconds`` old; 0: read each time."""

    def __init__(self, pool: Pool, *, fresh_seconds: float = 0.0) -> None:
        self._pool = pool
        self._fresh_seconds = fresh_seconds
        self._beats: Sequence[Heartbeat] = ()
        self._read_at = float("-inf")

    async def live(self) -> Sequence[Heartbeat]:
        """Of the gateways that were heard lately, by name. Raises Transient."""
        asked_at = time.monotonic()
        if asked_at - self._read_at >= self._fresh_seconds:
            with operator_errors():
                self._beats = await live_heartbeats(self._pool)
            self._read_at = asked_at
        return self._beats
