"""pgqueuer's driver over our pool and listener: it waits while PostgreSQL is away.

pgqueuer ends its run when a query fails. Here a query that finds no server is asked again until one
answers, so an outage is only a pause, and jobs that run go on. LISTEN is the store's listener,
which connects again by itself; notifications that come together are passed on as one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

from pgqueuer.core.tm import TaskManager
from pgqueuer.ports.driver import Driver, NotifyCallback

from slipway_store.connect import Listener, Pool
from slipway_store.ending import end_if_cancelled
from slipway_store.errors import UNAVAILABLE

logger = logging.getLogger(__name__)

T = TypeVar("T")
RETRY_FIRST = 0.1
RETRY_LIMIT = 2.0
# One wake-up for what commits within this many seconds.
GATHER = 0.005


class StoreDriver(Driver):
    """``leaving`` set: no query is asked again.

    ``pool`` is for what must last, ``picks`` (which need not wait for the disk) for pgqueuer's own:
    a server that crashes and forgets a pick has the job queued again, and the pick's holder can
    store nothing for it.
    """

    def __init__(self, pool: Pool, picks: Pool, dsn: str, *, leaving: asyncio.Event) -> None:
        self.pool = pool
        self.picks = picks
        self._dsn = dsn
        self._leaving = leaving
        self._shutdown = asyncio.Event()
        self._listeners: dict[str, Listener] = {}

    async def patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer, however long PostgreSQL is away. Raises ``UNAVAILABLE`` once leaving."""
        delay = RETRY_FIRST
        while True:
            try:
                return await ask()
            except UNAVAILABLE as error:
                end_if_cancelled()
                # A value that asyncpg refuses is no outage: asking again would not help.
                if self._leaving.is_set() or isinstance(error, ValueError):
                    raise
                if delay == RETRY_FIRST:
                    logger.warning("PostgreSQL does not answer, waiting for it: %r", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), delay)
            delay = min(delay * 2, RETRY_LIMIT)

    async def fetch(self, query: str, *args: Any) -> list[dict[str, Any]]:
        rows = await self.patiently(lambda: self.picks.fetch(query, *args))
        return [dict(row) for row in rows]

    async def execute(self, query: str, *args: Any) -> str:
        return await self.patiently(lambda: self.picks.execute(query, *args))

    async def notify(self, channel: str, payload: str) -> None:
        await self.execute("SELECT pg_notify($1, $2)", channel, payload)

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        gathered = _Gathered(callback)
        listener = Listener(
            self._dsn,
            (channel,),
            lambda _, payload: gathered.add(payload),
            # What changed while nobody listened was not told.
            on_connect=lambda: gathered.add(_changed(channel)),
        )
        self._listeners[channel] = listener
        listener.start()

    async def remove_listener(self, channel: str, callback: NotifyCallback) -> None:
        listener = self._listeners.pop(channel, None)
        if listener is not None:
            await listener.stop()

    @property
    def shutdown(self) -> asyncio.Event:
        return self._shutdown

    @property
    def tm(self) -> TaskManager:
        return TaskManager()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        for channel in list(self._listeners):
            await self.remove_listener(channel, lambda _: None)


def _changed(channel: str) -> str:
    """What pgqueuer's trigger says of a change."""
    return json.dumps(
        {
            "type": "table_changed_event",
            "channel": channel,
            "operation": "insert",
            "table": "pgqueuer",
            "sent_at": datetime.now(UTC).isoformat(),
        }
    )


class _Gathered:
    """Says "the table changed" once for many; everything else at once and as it is."""

    def __init__(self, callback: NotifyCallback) -> None:
        self._callback = callback
        self._pending = False

    def add(self, payload: str) -> None:
        if "table_changed_event" not in payload:
            self._callback(payload)
        elif not self._pending:
            self._pending = True
            asyncio.get_running_loop().call_later(GATHER, self._pass_on, payload)

    def _pass_on(self, payload: str) -> None:
        self._pending = False
        self._callback(payload)
