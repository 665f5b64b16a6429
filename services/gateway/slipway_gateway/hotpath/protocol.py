"""A client's connection: HTTP/1.1 for uvicorn's server, with the hot routes relayed below ASGI.

A request of a hot route becomes an ``Exchange``; every other one is uvicorn's own cycle with
FastAPI behind it (``cold``). Both wait in one line, so pipelined requests are answered in their
order. A head that is too large is 431, one that does not come within ``header_timeout`` closes the
connection (slow-loris). At the end of the process a request that has arrived is answered before its
connection is closed, or the kernel would reset it. Not a child of uvicorn's own protocol: compiled,
a class without a base that is not compiled has fields instead of a dictionary.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import FlowControl

from slipway_gateway.errors import BadRequest, GatewayError, TooLarge
from slipway_gateway.hotpath import cold
from slipway_gateway.hotpath.arrived import unread
from slipway_gateway.hotpath.deps import HotPath
from slipway_gateway.hotpath.exchange import Exchange
from slipway_gateway.hotpath.respond import Defaults
from slipway_gateway.render import openai_error

logger = logging.getLogger(__name__)

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
_FAILED = _answer(b"500 Internal Server Error", GatewayError("the gateway failed on this request"))


class ClientConnection:
    """uvicorn's server makes one for each connection; ``hot`` is what all of them share.

    The first three arguments, ``shutdown`` and the names of uvicorn's state are the server's terms.
    """

    def __init__(
        self, config: Any, server_state: Any, app_state: dict[str, Any], *, hot: HotPath
    ) -> None:
        self._hot = hot
        self._bounds = hot.bounds
        self._server_state = server_state
        self._cold_routes = cold.ColdRoutes(config, server_state, app_state)
        self._defaults = Defaults()
        self._parser: Any = None
        self._transport: Any = None
        self._flow: Any = None
        self._peers: cold.Peers | None = None
        # Requests after the one that runs, newest first. Either kind has ``response_complete``.
        self._pipeline: deque[Any] = deque()
        self._cycle: Any = None
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._expects_continue = False
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

    @property
    def client(self) -> tuple[str, int] | None:
        """Its address and port."""
        return None if self._peers is None else self._peers.client

    def write(self, data: bytes) -> None:
        """Towards the client, at once: each call is a packet."""
        if data:
            self._transport.write(data)

    def abort(self) -> None:
        """Cut a client that does not read; closing would wait for it."""
        self._transport.abort()

    def expects_continue(self) -> bool:
        """The client waits with the body until it is told to send it."""
        return self._expects_continue

    def defaults(self) -> Defaults:
        """The headers of every answer."""
        self._defaults.update(self._server_state.default_headers)
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
            self._transport.close()
        self.on_response_complete()

    # -- deadlines -------------------------------------------------------------------------------

    def check(self, now: float) -> None:
        """The sweep: a head that does not come, a connection that nobody uses, a request's own."""
        if self._running is not None:
            self._running.check(now)
        elif self._is_stalled(now):
            self._transport.abort()
            return
        if self._head_since is not None:
            late = now - self._head_since > self._bounds.header_timeout
        else:
            since = self._idle_since
            late = since is not None and now - since > self._bounds.keep_alive
        if late and not self._transport.is_closing():
            self._transport.close()

    def _is_stalled(self, now: float) -> bool:
        """The client of a cold answer does not read; an exchange looks at its own."""
        since = self._stalled_since
        return since is not None and now - since > self._bounds.client_timeout

    def stop(self) -> None:
        """The process ends and its grace is over."""
        running, self._running = self._running, None
        if running is not None:
            running.client_gone()
        self._transport.abort()

    # -- asyncio ---------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._server_state.connections.add(self)
        self._transport = transport
        self._flow = FlowControl(transport)
        self._peers = cold.Peers(transport)
        self._parser = httptools.HttpRequestParser(self)
        # What a client pipelines behind a request that asks to close does not spoil that request.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._head_since = time.monotonic()
        self._hot.deadlines.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server_state.connections.discard(self)
        self._hot.deadlines.remove(self)
        running, self._running = self._running, None
        cycle, self._cycle = self._cycle, None
        self._pipeline.clear()
        if cycle is not None and not isinstance(cycle, Exchange):
            cold.disconnect(cycle)
        self._flow.resume_writing()
        self._parser = None
        if running is not None:
            running.client_gone()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._head_since is not None:
            # Only while a head is coming: what the parser has not yet given as a field counts.
            self._head_size += len(data)
        self._parse(data)
        if self._head_since is not None and self._head_size > self._bounds.header_limit:
            self._refuse(_TOO_LARGE)

    def _parse(self, data: bytes) -> None:
        """A request to change protocols is just a request."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return
        except httptools.HttpParserCallbackError as error:
            # A target that is none is told from inside; anything else is a mistake of ours.
            if isinstance(error.__context__, httptools.HttpParserError):
                self._refuse(_NO_HTTP)
            else:
                logger.exception("a request could not be taken")
                self._refuse(_FAILED)
        except httptools.HttpParserError:
            self._refuse(_NO_HTTP)

    def eof_received(self) -> None:
        """A client that has half closed counts as gone."""

    def pause_writing(self) -> None:
        self._flow.pause_writing()
        self._stalled_since = time.monotonic()
        if self._running is not None:
            self._running.stall()

    def resume_writing(self) -> None:
        self._flow.resume_writing()
        self._stalled_since = None
        if self._running is not None:
            self._running.flow()

    # -- httptools -------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._url = b""
        self._expects_continue = False
        self._headers = []
        self._idle_since = None
        if self._head_since is None:
            self._head_since = time.monotonic()
            self._head_size = 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_since is None:
            # Behind the body: a trailer decides nothing.
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self._expects_continue = True
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._head_since = None
        if self._refused:
            return
        if self._head_size > self._bounds.header_limit and self._is_too_large():
            self._refuse(_TOO_LARGE)
            return
        if len(self._headers) > self._bounds.header_count_limit:
            self._refuse(_TOO_LARGE)
            return
        dialect = self._hot.dialects.get(self._path())
        if dialect is None or self._parser.get_method() != b"POST":
            self._cold()
            return
        before = self._cycle
        exchange = Exchange(self._hot, dialect, self, self._headers, keep_alive=self._keeps_alive())
        self._cycle = exchange
        self._receiving = True
        if before is None or before.response_complete:
            self._begin(exchange)
        else:
            self._flow.pause_reading()
            self._pipeline.appendleft(exchange)

    def on_body(self, body: bytes) -> None:
        if self._refused:
            return
        if isinstance(self._cycle, Exchange):
            self._cycle.on_body(body)
        else:
            cold.add_body(self._cycle, body, self._flow)

    def on_message_complete(self) -> None:
        if self._refused:
            return
        self._receiving = False
        if isinstance(self._cycle, Exchange):
            self._cycle.on_complete()
        else:
            cold.end_body(self._cycle)

    # -- uvicorn ---------------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        """Of either kind: go on with the line, or be idle."""
        self._server_state.total_requests += 1
        if self._transport.is_closing():
            return
        if self._flow.read_paused:
            self._flow.resume_reading()
        if self._pipeline:
            self._start(self._pipeline.pop())
        elif self._refusal is not None:
            self._write_refusal(self._refusal)
        else:
            self._idle_since = time.monotonic()

    def shutdown(self) -> None:
        """uvicorn ends: no request after the one that is there."""
        idle = self._cycle is None or self._cycle.response_complete
        begun = self._head_since is not None and (self._cycle is not None or self._head_size > 0)
        self._last = True
        if idle and (begun or unread(self._transport)):
            return
        if idle:
            self._transport.close()
        else:
            self._cycle.keep_alive = False

    # -- inside ----------------------------------------------------------------------------------

    def _start(self, cycle: Any) -> None:
        if isinstance(cycle, Exchange):
            self._begin(cycle)
        else:
            self._cold_routes.start(cycle)

    def _begin(self, exchange: Exchange) -> None:
        self._running = exchange
        if self._last:
            exchange.keep_alive = False
        exchange.begin()

    def _cold(self) -> None:
        assert self._peers is not None
        before = self._cycle
        self._cycle = self._cold_routes.cycle(
            self._parser,
            url=self._url,
            headers=self._headers,
            peers=self._peers,
            transport=self._transport,
            flow=self._flow,
            expects_continue=self._expects_continue,
            keep_alive=self._keeps_alive() and not self._last,
            on_response=self.on_response_complete,
        )
        self._receiving = True
        if before is None or before.response_complete:
            self._cold_routes.start(self._cycle)
        else:
            self._flow.pause_reading()
            self._pipeline.appendleft(self._cycle)

    def _path(self) -> str:
        """The path that is dispatched: decoded, without query, whatever form the target has."""
        url = self._url
        if url in self._hot.paths:
            return self._hot.paths[url]
        target: Any = httptools.parse_url(url)
        return unquote(target.path.decode("ascii")) if target.path else ""

    def _keeps_alive(self) -> bool:
        return self._parser.get_http_version() != "1.0" and bool(self._parser.should_keep_alive())

    def _is_too_large(self) -> bool:
        size = len(self._url) + sum(len(n) + len(v) + 4 for n, v in self._headers)
        return size > self._bounds.header_limit

    def _refuse(self, answer: bytes) -> None:
        """Answer what is no request, after the requests before it, and read no more."""
        self._refused = True
        self._head_since = None
        before = self._cycle
        if self._receiving and self._pipeline:
            # It broke off inside its body, while it waited for its turn.
            self._pipeline.popleft()
        elif self._receiving or before is None or before.response_complete:
            self._write_refusal(answer)
            return
        self._refusal = answer

    def _write_refusal(self, answer: bytes) -> None:
        """Unless the request that broke off has been answered already, from its head alone."""
        if self._transport.is_closing():
            return
        if self._cycle is not None and not isinstance(self._cycle, Exchange):
            # It must not write any more.
            cold.disconnect(self._cycle)
        if not (self._receiving and self._cycle is not None and self._cycle.response_complete):
            self._transport.write(answer)
        self._linger()

    def _linger(self) -> None:
        """Close, but let the client read what was written: a socket that is closed over unread
        input is reset, and the answer with it."""
        self._refused = True
        self._idle_since = time.monotonic() + LINGER - self._bounds.keep_alive
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()
