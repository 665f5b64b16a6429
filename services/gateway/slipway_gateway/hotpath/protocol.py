"""uvicorn's HTTP protocol with the limits that it lacks: size and time of the request head.

A head that is too large is 431, one that does not come within ``header_timeout`` closes the
connection (slow-loris). The body's limits are the exchange's. At the end of the process a request
that has arrived is answered before its connection is closed, or the kernel would reset it. The
transport's ``abort`` is handed to the application, because closing waits for a client that does not
read; and the application may ask to be called when the client leaves, which is cheaper than a task
that waits for it.
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from slipway_gateway.errors import BadRequest, GatewayError, TooLarge
from slipway_gateway.render import openai_error
from slipway_gateway.settings import Settings

ABORT = "slipway.abort"
WATCH = "slipway.watch"


def _answer(status: bytes, error: GatewayError) -> bytes:
    """A whole answer for a request that never became one; it has no id of its own yet."""
    body = openai_error(error, "")
    return (
        b"HTTP/1.1 %b\r\ncontent-type: application/json\r\nconnection: close\r\n"
        b"content-length: %d\r\n\r\n%b" % (status, len(body), body)
    )


_TOO_LARGE = _answer(
    b"431 Request Header Fields Too Large", TooLarge("the request head is too large")
)
_NO_HTTP = _answer(b"400 Bad Request", BadRequest("the request is not valid HTTP/1.1"))


def unread(transport: asyncio.BaseTransport) -> int:
    """Bytes that have arrived and that the event loop has not read yet."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return 0
    (count,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.FIONREAD, bytes(4)))
    return int(count)


def limited_protocol(settings: Settings) -> type[HttpToolsProtocol]:
    """The protocol class for these settings (uvicorn makes the instances)."""
    head_limit, count_limit = settings.header_limit, settings.header_count_limit
    timeout = settings.header_timeout

    class LimitedProtocol(HttpToolsProtocol):
        """One connection."""

        _head_size = 0
        _head_timer: asyncio.TimerHandle | None = None
        _refused = False
        _last = False
        _on_leave: Callable[[], None] | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._head_timer = self.loop.call_later(timeout, self._head_late)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_timer()
            super().connection_lost(exc)
            if self._on_leave is not None:
                self._on_leave()

        def watch(self, on_leave: Callable[[], None] | None) -> None:
            """Call it when the client leaves; None ends that. The last one counts."""
            self._on_leave = on_leave
            # Reading may have been paused by a large body; a paused socket does not tell its end.
            self.flow.resume_reading()

        def data_received(self, data: bytes) -> None:
            if self._refused:
                return
            if self._head_timer is not None:
                # Only while a head is coming: what the parser has not yet given as a field counts.
                self._head_size += len(data)
            super().data_received(data)
            if self._head_timer is not None and self._head_size > head_limit:
                self._refuse()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self.scope["state"][ABORT] = self.transport.abort
            self.scope["state"][WATCH] = self.watch
            if self._head_timer is None:
                self._head_timer = self.loop.call_later(timeout, self._head_late)
                self._head_size = 0

        def on_headers_complete(self) -> None:
            self._stop_timer()
            size = len(self.url) + sum(len(n) + len(v) + 4 for n, v in self.headers)
            if size > head_limit or len(self.headers) > count_limit:
                self._refuse()
                return
            super().on_headers_complete()
            if self._last:
                self.cycle.keep_alive = False

        def shutdown(self) -> None:
            """uvicorn ends: no request after the one that is there."""
            idle = self.cycle is None or self.cycle.response_complete
            begun = self._head_timer is not None and (self.cycle is not None or self._head_size > 0)
            self._last = True
            if not (idle and (begun or unread(self.transport))):
                super().shutdown()

        def on_body(self, body: bytes) -> None:
            if not self._refused:
                super().on_body(body)

        def on_message_complete(self) -> None:
            if not self._refused:
                super().on_message_complete()

        def send_400_response(self, msg: str) -> None:
            self._refuse(_NO_HTTP)

        def _refuse(self, answer: bytes = _TOO_LARGE) -> None:
            self._refused = True
            self._stop_timer()
            if not self.transport.is_closing():
                self.transport.write(answer)
                self.transport.close()

        def _stop_timer(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _head_late(self) -> None:
            self._head_timer = None
            if not self.transport.is_closing():
                self.transport.close()

    return LimitedProtocol
