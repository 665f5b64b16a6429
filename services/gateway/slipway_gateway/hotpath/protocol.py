"""uvicorn's HTTP protocol with the limits that it lacks: size and time of the request head.

A head that is too large is 431, one that does not come within ``header_timeout`` closes the
connection (slow-loris). The body's limits are the exchange's. The transport's ``abort`` is handed
to the application, because closing waits for a client that does not read.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from slipway_gateway.settings import Settings

ABORT = "slipway.abort"
_ERROR = (
    b'{"error":{"message":"the request head is too large","type":"invalid_request_error",'
    b'"param":null,"code":"head_too_large"}}'
)
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(_ERROR), _ERROR)
)


def limited_protocol(settings: Settings) -> type[HttpToolsProtocol]:
    """The protocol class for these settings (uvicorn makes the instances)."""
    head_limit, count_limit = settings.header_limit, settings.header_count_limit
    timeout = settings.header_timeout

    class LimitedProtocol(HttpToolsProtocol):
        """One connection."""

        _head_size = 0
        _head_timer: asyncio.TimerHandle | None = None
        _refused = False

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._head_timer = self.loop.call_later(timeout, self._head_late)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_timer()
            super().connection_lost(exc)

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

        def on_body(self, body: bytes) -> None:
            if not self._refused:
                super().on_body(body)

        def on_message_complete(self) -> None:
            if not self._refused:
                super().on_message_complete()

        def _refuse(self) -> None:
            self._refused = True
            self._stop_timer()
            if not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
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
