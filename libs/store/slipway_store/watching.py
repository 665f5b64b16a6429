"""Watch on objects: LISTEN/NOTIFY for speed, a full list for truth.

Notifications that were sent while the connection was away are lost, and a deletion leaves no row:
so the watch lists again after each reconnect and every ``relist_seconds``, and remembers which keys
it has told, to tell once more those that have vanished.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator

from slipway_contracts.route import CHANNEL_OBJECTS
from slipway_store.connect import Listener, Pool
from slipway_store.errors import UNAVAILABLE

logger = logging.getLogger(__name__)

ObjectKey = tuple[str, str, str]
RETRY_SECONDS = 1.0


class _Pending:
    """Keys that wait to be told, each once, in order of arrival; and whether to list again."""

    def __init__(self) -> None:
        self.keys: dict[ObjectKey, None] = {}
        self.relist = True
        self.wake = asyncio.Event()

    def notified(self, _channel: str, payload: str) -> None:
        kind, _, rest = payload.partition("/")
        namespace, _, name = rest.partition("/")
        self.keys[kind, namespace, name] = None
        self.wake.set()

    def connected(self) -> None:
        self.relist = True
        self.wake.set()


async def watch_objects(
    pool: Pool, dsn: str, *, relist_seconds: float
) -> AsyncGenerator[ObjectKey, None]:
    """See ``ObjectStore.watch``."""
    loop = asyncio.get_running_loop()
    pending = _Pending()
    known: set[ObjectKey] = set()
    due = loop.time()
    async with Listener(dsn, [CHANNEL_OBJECTS], pending.notified, on_connect=pending.connected):
        while True:
            if pending.relist or loop.time() >= due:
                # Before the query: a write during it must list or notify again, not vanish.
                pending.relist = False
                try:
                    listed = await _list_keys(pool)
                except UNAVAILABLE as error:
                    logger.warning("watch: cannot list objects, trying again: %s", error)
                    due = loop.time() + RETRY_SECONDS
                else:
                    due = loop.time() + relist_seconds
                    pending.keys.update(dict.fromkeys([*listed, *sorted(known - set(listed))]))
                    known = set(listed)
            while pending.keys:
                key = next(iter(pending.keys))
                del pending.keys[key]
                known.add(key)
                yield key
            pending.wake.clear()
            if not pending.relist and not pending.keys:
                await _wait(pending.wake, due - loop.time())


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), max(0.0, seconds))
    except TimeoutError:
        return


async def _list_keys(pool: Pool) -> list[ObjectKey]:
    rows = await pool.fetch("SELECT kind, namespace, name FROM objects ORDER BY created_at, name")
    return [(row["kind"], row["namespace"], row["name"]) for row in rows]
