"""A client's connection: uvicorn's HTTP protocol, with the hot routes relayed below ASGI.

A request of a hot route becomes an ``Exchange``; every other one is uvicorn's own cycle with
FastAPI behind it. Both wait in one line, so pipelined requests are answered in their order. Limits
that uvicorn lacks are here too: a head that is too large is 431, one that does not come within
``header_timeout`` closes the connection (slow-loris). At the end of the process a request that has
arrived is answered before its connection is closed, or the kernel would reset it.
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
import time
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from slipway_gateway.errors import BadRequest, GatewayError, TooLarge
from slipway_gateway.hotpath.deps import HotPath
from slipway_gateway.hotpath.exchange import Exchange
from slipway_gateway.hotpath.respond import Defaults
from slipway_gateway.render import openai_error

# Seconds for which a refused client may go on sending into nowhere.
LINGER = 1.0


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


class ClientConnection(HttpToolsProtocol):
    """uvicorn makes one for each connection; ``hot`` is what all of them share."""

    def __init__(self, *args: Any, hot: HotPath, **more: Any) -> None:
        super().__init__(*args, **more)
        self._hot = hot
        self._settings = hot.settings
        self._defaults = Defaults()
        self._running: Exchange | None = None
        self._head_since: float | None = None
        self._idle_since: float | None = None
        self._stalled_since: float | None = None
        self._head_size = 0
        self._refused = False
        self._refusal: bytes | None = None
        self._receiving = False
        self._last = False

    # -- what an exchange asks of its client -----------------------------------------------------

    def write(self, data: bytes) -> None:
        """Towards the client; what is written in one turn of the loop goes out together."""
        if data:
            self.transport.write(data)

    def abort(self) -> None:
        """Cut a client that does not read; closing would wait for it."""
        self.transport.abort()

    def expects_continue(self) -> bool:
        """The client waits with the body until it is told to send it."""
        return self.expect_100_continue

    def defaults(self) -> Defaults:
        """The headers of every answer."""
        self._defaults.update(self.server_state.default_headers)
        return self._defaults

    def answered(self, exchange: Exchange) -> None:
        """It is over; the next in line may begin."""
        if exchange is not self._running:
            return
        self._running = None
        if not exchange.keep_alive or self._last:
            if self._receiving:
                self._linger()
                return
            # What came with it, behind it, is nobody's: an engine must not see it.
            self._refused = True
            self.transport.close()
        self.on_response_complete()

    # -- deadlines -------------------------------------------------------------------------------

    def check(self, now: float) -> None:
        """The sweep: a head that does not come, a connection that nobody uses, a request's own."""
        if self._running is not None:
            self._running.check(now)
        elif self._is_stalled(now):
            self.transport.abort()
            return
        if self._head_since is not None:
            late = now - self._head_since > self._settings.header_timeout
        else:
            since = self._idle_since
            late = since is not None and now - since > self._settings.keep_alive
        if late and not self.transport.is_closing():
            self.transport.close()

    def _is_stalled(self, now: float) -> bool:
        """The client of a cold answer does not read; an exchange looks at its own."""
        since = self._stalled_since
        return since is not None and now - since > self._settings.client_timeout

    def stop(self) -> None:
        """The process ends and its grace is over."""
        running, self._running = self._running, None
        if running is not None:
            running.client_gone()
        self.transport.abort()

    # -- asyncio ---------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._head_since = time.monotonic()
        self._hot.deadlines.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._hot.deadlines.remove(self)
        running, self._running = self._running, None
        if isinstance(self.cycle, Exchange):
            self.cycle = None
        self.pipeline.clear()
        super().connection_lost(exc)
        if running is not None:
            running.client_gone()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._head_since is not None:
            # Only while a head is coming: what the parser has not yet given as a field counts.
            self._head_size += len(data)
        self._parse(data)
        if self._head_since is not None and self._head_size > self._settings.header_limit:
            self._refuse(_TOO_LARGE)

    def _parse(self, data: bytes) -> None:
        """As uvicorn, without websockets: a request to change protocols is just a request."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return
        except httptools.HttpParserError:
            self._refuse(_NO_HTTP)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled_since = time.monotonic()
        if self._running is not None:
            self._running.stall()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stalled_since = None
        if self._running is not None:
            self._running.flow()

    # -- httptools -------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._idle_since = None
        if self._head_since is None:
            self._head_since = time.monotonic()
            self._head_size = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_since is None:
            # Behind the body: a trailer decides nothing.
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._head_since = None
        if self._refused:
            return
        if self._head_size > self._settings.header_limit and self._is_too_large():
            self._refuse(_TOO_LARGE)
            return
        if len(self.headers) > self._settings.header_count_limit:
            self._refuse(_TOO_LARGE)
            return
        dialect = self._hot.dialects.get(self._path())
        if dialect is None or self.parser.get_method() != b"POST":
            self._cold()
            return
        before = self.cycle
        exchange = Exchange(self._hot, dialect, self, self.headers, keep_alive=self._keeps_alive())
        self.cycle = exchange  # type: ignore[assignment]
        self._receiving = True
        if before is None or before.response_complete:
            self._begin(exchange)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, self.app))  # type: ignore[arg-type]

    def on_body(self, body: bytes) -> None:
        if self._refused:
            return
        if isinstance(self.cycle, Exchange):
            self.cycle.on_body(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._refused:
            return
        self._receiving = False
        if isinstance(self.cycle, Exchange):
            self.cycle.on_complete()
        else:
            super().on_message_complete()

    # -- uvicorn ---------------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        """Of either kind: go on with the line, or be idle."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._refusal is not None:
            self._write_refusal(self._refusal)
        else:
            self._idle_since = time.monotonic()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if isinstance(cycle, Exchange):
            self._begin(cycle)
        else:
            super()._start_asgi_task(cycle, app)

    def shutdown(self) -> None:
        """uvicorn ends: no request after the one that is there."""
        idle = self.cycle is None or self.cycle.response_complete
        begun = self._head_since is not None and (self.cycle is not None or self._head_size > 0)
        self._last = True
        if not (idle and (begun or unread(self.transport))):
            super().shutdown()

    # -- inside ----------------------------------------------------------------------------------

    def _begin(self, exchange: Exchange) -> None:
        self._running = exchange
        if self._last:
            exchange.keep_alive = False
        exchange.begin()

    def _cold(self) -> None:
        self.scope = {  # type: ignore[typeddict-item]
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme or "http",
            "root_path": self.root_path,
            "headers": self.headers,
            "state": self.app_state.copy(),
        }
        super().on_headers_complete()
        self._receiving = True
        if self._last:
            self.cycle.keep_alive = False

    def _path(self) -> str:
        """The path that is dispatched: decoded, without query, whatever form the target has."""
        url = self.url
        if url in self._hot.paths:
            return self._hot.paths[url]
        path = httptools.parse_url(url).path
        return unquote(path.decode("ascii")) if path else ""

    def _keeps_alive(self) -> bool:
        return self.parser.get_http_version() != "1.0" and bool(self.parser.should_keep_alive())

    def _is_too_large(self) -> bool:
        size = len(self.url) + sum(len(n) + len(v) + 4 for n, v in self.headers)
        return size > self._settings.header_limit

    def _refuse(self, answer: bytes) -> None:
        """Answer what is no request, after the requests before it, and read no more."""
        self._refused = True
        self._head_since = None
        before = self.cycle
        if self._receiving and self.pipeline:
            # It broke off inside its body, while it waited for its turn.
            self.pipeline.popleft()
        elif self._receiving or before is None or before.response_complete:
            self._write_refusal(answer)
            return
        self._refusal = answer

    def _write_refusal(self, answer: bytes) -> None:
        """Unless the request that broke off has been answered already, from its head alone."""
        if self.transport.is_closing():
            return
        if isinstance(self.cycle, RequestResponseCycle):
            # Its task goes on, and must not write any more.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not (self._receiving and self.cycle is not None and self.cycle.response_complete):
            self.transport.write(answer)
        self._linger()

    def _linger(self) -> None:
        """Close, but let the client read what was written: a socket that is closed over unread
        input is reset, and the answer with it."""
        self._refused = True
        self._idle_since = time.monotonic() + LINGER - self._settings.keep_alive
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()
