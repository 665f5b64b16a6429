"""Connections: a pool for queries and a listener for notifications.

The listener has a connection of its own, reconnects by itself and asks the server a question every
few seconds, so that a connection that died in silence is noticed. Knows nothing of tables.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import asyncpg

from slipway_store.errors import UNAVAILABLE

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0
COMMAND_TIMEOUT = 30.0
# A listener outlives what an administrator puts right: a wrong password, a database not made yet.
_RETRIED: tuple[type[Exception], ...] = (*UNAVAILABLE, asyncpg.PostgresError)
BACKOFF_FIRST = 0.1
BACKOFF_LIMIT = 2.0


def _encode(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


async def _prepare(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_encode, decoder=json.loads
    )


async def _nothing(_connection: Any) -> None:
    """A session that nobody changes needs no cleaning."""


async def open_pool(
    dsn: str,
    *,
    min_size: int = 1,
    max_size: int = 4,
    cleaned: bool = True,
    session: Mapping[str, str] | None = None,
) -> Pool:
    """A pool whose connections give jsonb as Python objects. Raises ``UNAVAILABLE`` errors.

    No call waits longer than 30 s for the server; connecting no longer than 10 s. With ``min_size``
    0 nothing connects before the first use, so a process may start while the server is away. With
    ``cleaned`` False a connection is not reset between two uses, which saves a question each;
    ``session`` are PostgreSQL's settings for every connection.
    """
    settings = {"application_name": "slipway", "timezone": "UTC"} | dict(session or {})
    return await asyncpg.create_pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        timeout=CONNECT_TIMEOUT,
        command_timeout=COMMAND_TIMEOUT,
        init=_prepare,
        reset=None if cleaned else _nothing,
        server_settings=settings,
    )


class Listener:
    """LISTEN on channels over an own connection, for as long as the context is open.

    ``on_notify(channel, payload)`` runs on the event loop. ``on_connect`` runs after every connect,
    when LISTEN is in place: what changed before was not told, so read everything there.
    ``on_silence`` runs once when the connection is lost, or has not answered within
    ``answer_within`` seconds a question that is asked every ``keepalive`` seconds. Callbacks must
    not block or raise.
    """

    def __init__(
        self,
        dsn: str,
        channels: Sequence[str],
        on_notify: Callable[[str, str], None],
        on_silence: Callable[[], None] | None = None,
        *,
        on_connect: Callable[[], None] | None = None,
        keepalive: float = 5.0,
        answer_within: float = 5.0,
    ) -> None:
        self._dsn = dsn
        self._channels = tuple(channels)
        self._on_notify = on_notify
        self._on_silence = on_silence
        self._on_connect = on_connect
        self._keepalive = keepalive
        self._answer_within = answer_within
        self._task: asyncio.Task[None] | None = None
        self._last_heard = float("-inf")

    @property
    def last_heard(self) -> float:
        """``time.monotonic()`` of the server's last answer; -inf before the first."""
        return self._last_heard

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    def start(self) -> None:
        """Begin in the background; returns at once, whether or not the server is there."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="slipway-listener")

    async def stop(self) -> None:
        """End the connection. Safe to call twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        backoff = BACKOFF_FIRST
        while True:
            try:
                connection = await asyncpg.connect(
                    self._dsn, timeout=CONNECT_TIMEOUT, command_timeout=self._answer_within
                )
            except _RETRIED as error:
                logger.warning("listener: cannot connect, trying again: %s", error)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, BACKOFF_LIMIT)
                continue
            try:
                await self._listen(connection)
            except _RETRIED as error:
                logger.warning("listener: connection lost, connecting again: %s", error)
            finally:
                connection.terminate()
            if self._on_silence is not None:
                self._on_silence()
            backoff = BACKOFF_FIRST
            await asyncio.sleep(backoff)

    async def _listen(self, connection: Any) -> None:
        """Until the connection fails, which raises."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        for channel in self._channels:
            await connection.add_listener(channel, self._notified)
        self._last_heard = time.monotonic()
        if self._on_connect is not None:
            self._on_connect()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(lost.wait(), self._keepalive)
            if lost.is_set():
                raise ConnectionError("the server closed the connection")
            await connection.execute("SELECT 1")
            self._last_heard = time.monotonic()

    def _notified(self, _connection: Any, _pid: int, channel: str, payload: object) -> None:
        self._last_heard = time.monotonic()
        self._on_notify(channel, str(payload))
