"""Connections to backends, kept alive and given out newest first.

One pool a process. A request gets an idle connection or a new one; there is no waiting here (how
many may run is the overload's business). Idle ones are closed before the servers' own time is up,
so that a request never goes into a connection that is being closed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from slipway_gateway.errors import BackendUnreachable
from slipway_gateway.hotpath import respond
from slipway_gateway.hotpath.known import KnownAnswer, Shape
from slipway_gateway.hotpath.upstream import Connection, Receiver

# Below the 5 s after which many servers (uvicorn's default) close an idle connection.
KEEPALIVE_SECONDS = 4.0
_TARGETS_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a request goes: an address, and the first lines of its head."""

    host: str
    port: int
    secure: bool
    start: bytes

    @property
    def address(self) -> tuple[str, int, bool]:
        """What tells connections apart."""
        return self.host, self.port, self.secure


class Call:
    """A request that was sent, or waits for its connection. ``cancel`` at any time."""

    __slots__ = ("_receiver", "connection", "task")

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self.connection: Connection | None = None
        self.task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """The receiver hears nothing more."""
        if self.task is not None:
            self.task.cancel()
        if self.connection is not None:
            self.connection.cancel(self._receiver)


class Upstream:
    """The pool; ``stop`` it at the end."""

    def __init__(self, *, connect_timeout: float) -> None:
        self._connect_timeout = connect_timeout
        self._idle: dict[tuple[str, int, bool], deque[Connection]] = {}
        self._targets: dict[tuple[str, str], Target] = {}
        self._answers: dict[bytes, tuple[Shape, KnownAnswer]] = {}
        self._tls: ssl.SSLContext | None = None

    def post(
        self, base: str, path: str, receiver: Receiver, *, headers: bytes, body: bytes
    ) -> Call:
        """Send a request; its answer or its failure goes to the receiver, never before this
        returns. ``headers`` are whole lines, with neither host nor length."""
        target = self._targets.get((base, path)) or self._target(base, path)
        request = b"%b%b%b%b" % (target.start, headers, respond.sized(body), body)
        call = Call(receiver)
        idle = self._idle.get(target.address)
        while idle:
            connection = idle.pop()
            if connection.usable:
                call.connection = connection
                connection.send(request, receiver)
                return call
        connecting = self._connect(target, request, receiver, call)
        call.task = asyncio.get_running_loop().create_task(connecting)
        return call

    def check(self, now: float) -> None:
        """The sweep of ``Deadlines``: close what has been idle for too long."""
        for address, idle in tuple(self._idle.items()):
            while idle and (not idle[0].usable or now - idle[0].idle_since > KEEPALIVE_SECONDS):
                idle.popleft().close()
            if not idle:
                del self._idle[address]

    def stop(self) -> None:
        """Close every idle connection."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()

    async def _connect(
        self, target: Target, request: bytes, receiver: Receiver, call: Call
    ) -> None:
        address = target.address

        def keep(connection: Connection) -> None:
            connection.idle_since = monotonic()
            idle = self._idle.get(address)
            if idle is None:
                idle = self._idle[address] = deque()
            idle.append(connection)

        connection = Connection(keep, self._answers)
        loop, tls = asyncio.get_running_loop(), self._context(target)
        try:
            async with asyncio.timeout(self._connect_timeout):
                made: Any = lambda: connection  # noqa: E731 (a Protocol by its methods only)
                await loop.create_connection(made, target.host, target.port, ssl=tls)
        except asyncio.CancelledError:
            # It may have been made in the same turn.
            connection.close()
            raise
        except TimeoutError:
            receiver.failed(BackendUnreachable("the backend did not accept a connection in time"))
        except OSError:
            receiver.failed(BackendUnreachable("the backend is not reachable"))
        else:
            call.connection = connection
            connection.send(request, receiver)
        finally:
            call.task = None

    def _context(self, target: Target) -> ssl.SSLContext | None:
        if not target.secure:
            return None
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    def _target(self, base: str, path: str) -> Target:
        if len(self._targets) > _TARGETS_LIMIT:
            self._targets.clear()
        url = urlsplit(base.rstrip("/") + path)
        secure = url.scheme == "https"
        start = f"POST {url.path} HTTP/1.1\r\nhost: {url.netloc}\r\n"
        target = self._targets[base, path] = Target(
            host=url.hostname or "",
            port=url.port or (443 if secure else 80),
            secure=secure,
            start=start.encode("ascii"),
        )
        return target
