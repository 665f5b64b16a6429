"""Many clients at once: requests come at random moments, each whether earlier ones ended or not.

A request is due when its client wants it, so that a stalled system cannot hide what it did to those
that came after. Everything that comes back is kept: status, seconds, whether the answer was whole.
Connections are kept and each has one request at a time. Written on protocols and not on streams:
the client shares two cores with what it measures.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

DONE = b"data: [DONE]"
USAGE = b'"usage"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``status`` 0: the connection broke before one. ``cut``: it began with 200 and did not end.

    ``ended``: by the clock of ``time.perf_counter``.
    """

    seconds: float
    ended: float
    status: int
    cut: bool
    retry_after: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Asks these in turn, so many a second in the mean."""

    messages: Sequence[bytes]
    rate: float
    answers: list[Answer] = field(default_factory=list)


class _Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, idle: list[_Line]) -> None:
        self._idle = idle
        self._data = bytearray()
        self._head = b""
        self._size = -1
        self._told: asyncio.Future[bool] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from it.
        self.transport = cast(asyncio.Transport, transport)

    async def ask(self, message: bytes, due: float) -> Answer:
        """What came back."""
        assert self.transport is not None
        self._data.clear()
        self._head, self._size = b"", -1
        self._told = asyncio.get_running_loop().create_future()
        self.transport.write(message)
        ended = await self._told
        status = int(self._head[9:12] or 0)
        end = DONE if b"event-stream" in self._head else USAGE
        if ended:
            self._idle.append(self)
        else:
            self.transport.abort()
        now = time.perf_counter()
        return Answer(
            seconds=now - due,
            ended=now,
            status=status,
            cut=status == 200 and not (ended and end in self._data),
            retry_after=b"retry-after:" in self._head,
        )

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._head:
            end = self._data.find(b"\r\n\r\n")
            if end < 0:
                return
            self._head = bytes(self._data[: end + 4]).lower()
            if b"content-length:" in self._head:
                length = self._head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]
                self._size = end + 4 + int(length)
        sized = self._size >= 0
        if len(self._data) >= self._size if sized else self._data.endswith(b"0\r\n\r\n"):
            self._end(True)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._idle:
            self._idle.remove(self)
        self._end(False)

    def _end(self, ended: bool) -> None:
        if self._told is not None and not self._told.done():
            self._told.set_result(ended)


class Crowd:
    """Clients of one port."""

    def __init__(self, port: int, *, seconds: float, seed: int) -> None:
        self._port = port
        self._seconds = seconds
        self._chance = random.Random(seed)
        self._idle: list[_Line] = []

    async def run(self, clients: Sequence[Client]) -> None:
        """Until all that they asked within these seconds has ended."""
        began = time.perf_counter()
        await asyncio.gather(*(self._arrive(client, began) for client in clients))
        for line in tuple(self._idle):
            if line.transport is not None:
                line.transport.abort()

    async def _arrive(self, client: Client, began: float) -> None:
        chance, tasks = random.Random(self._chance.random()), []
        due = began + chance.expovariate(client.rate)
        while due < began + self._seconds:
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            message = chance.choice(client.messages)
            tasks.append(asyncio.create_task(self._ask(message, due)))
            due += chance.expovariate(client.rate)
        client.answers.extend(await asyncio.gather(*tasks))

    async def _ask(self, message: bytes, due: float) -> Answer:
        if self._idle:
            return await self._idle.pop().ask(message, due)
        loop = asyncio.get_running_loop()
        try:
            _, line = await loop.create_connection(
                lambda: _Line(self._idle), "127.0.0.1", self._port
            )
        except OSError:
            now = time.perf_counter()
            return Answer(seconds=now - due, ended=now, status=0, cut=False, retry_after=False)
        return await line.ask(message, due)
