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
from collections import deque
from time import monotonic
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import FlowControl

from slipway_gateway.hotpath import cold
from slipway_gateway.hotpath.arrived import unread
from slipway_gateway.hotpath.deps import HotPath
from slipway_gateway.hotpath.exchange import Exchange
from slipway_gateway.hotpath.head import path_of, read_head, size_of
from slipway_gateway.hotpath.known import KnownRequest, Reader, lasting
from slipway_gateway.hotpath.refusals import FAILED, NO_HTTP, TOO_LARGE
from slipway_gateway.hotpath.respond import Defaults

logger = logging.getLogger(__name__)

# Seconds for which a refused client may go on sending into nowhere.
LINGER = 1.0


class ClientConnection:
    """uvicorn's server makes one for each connection; ``hot`` is what all of them share.

    ``expects_continue``: the client waits with the body until it is told to send it.
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
        # Requests after the one that runs, newest first. Either kind has ``response_complete``.
        self._pipeline: deque[Any] = deque()
        self._cycle: Any = None
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self.expects_continue = False
        self._running: Exchange | None = None
        self._head_since: float | None = None
        self._idle_since: float | None = None
        self._stalled_since: float | None = None
        self._head_size = 0
        self._refused = False
        self._refusal: bytes | None = None
        self._receiving = False
        self._last = False
        # Heads since it was made, and what is still to come of a body whose head was known.
        self._heads = 0
        self._missing = 0
        self._keep_alive = False
        self._reader = Reader(hot.heads)

    # -- what an exchange asks of its client -----------------------------------------------------

    @property
    def client(self) -> tuple[str, int] | None:
        """Its address and port."""
        return self._cold_routes.client

    def write(self, data: bytes) -> None:
        """Towards the client, at once: each call is a packet."""
        if data:
            self._transport.write(data)

    def abort(self) -> None:
        """Cut a client that does not read; closing would wait for it."""
        self._transport.abort()

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
        since = self._stalled_since
        if self._running is not None:
            self._running.check(now)
        elif since is not None and now - since > self._bounds.client_timeout:
            # The client of a cold answer does not read; an exchange looks at its own.
            self._transport.abort()
            return
        if self._head_since is not None:
            late = now - self._head_since > self._bounds.header_timeout
        else:
            since = self._idle_since
            late = since is not None and now - since > self._bounds.keep_alive
        if late and not self._transport.is_closing():
            self._transport.close()

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
        self._cold_routes.attach(transport, self._flow, self.on_response_complete)
        self._parser = httptools.HttpRequestParser(self)
        # What a client pipelines behind a request that asks to close does not spoil that request.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._head_since = monotonic()
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
        if self._missing:
            data = self._body_of_known(data)
        if self._refused or not data:
            return
        if self._head_since is not None or self._receiving or not self._is_free():
            self._parse(data)
            return
        reader = self._reader
        known = reader.read(data)
        if known is None:
            self._learn(data)
        elif reader.length > self._bounds.body_limit or len(data) - reader.start > reader.length:
            self._parse(data)
        else:
            self._take_known(known, reader.length, data[reader.start :])

    def _take_known(self, known: KnownRequest, length: int, body: bytes) -> None:
        """A head that needs no parser. The parser never hears of this request."""
        self._idle_since = None
        self.expects_continue = False
        exchange = Exchange(self._hot, known.dialect, self, known.head, keep_alive=known.keep_alive)
        self._missing = length
        self._take(exchange)
        if not self._refused:
            self._body_of_known(body)

    def _body_of_known(self, data: bytes) -> bytes:
        """Takes what belongs to it, and gives back the rest."""
        body = data if len(data) <= self._missing else data[: self._missing]
        self._missing -= len(body)
        if body:
            self.on_body(body)
        if not self._missing:
            self.on_message_complete()
        return data[len(body) :]

    def _learn(self, data: bytes) -> None:
        """Parse; know a hot route's head from now on."""
        heads, reader = self._heads, self._reader
        self._parse(data)
        one = self._heads == heads + 1 and self._head_since is None and not self._refused
        if not (reader.may_learn and one) or self.expects_continue or self._parser.should_upgrade():
            return
        cycle = self._cycle
        # If all behind the empty line was its body, there the head ended.
        if isinstance(cycle, Exchange) and cycle.received == len(data) - reader.start:
            known = lasting(cycle.dialect, cycle.head, reader.length, self._keep_alive)
            if known is not None:
                reader.learn(data, known)

    def _parse(self, data: bytes) -> None:
        """A request to change protocols is just a request."""
        if self._head_since is not None:
            # Only while a head is coming: what the parser has not yet given as a field counts.
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return
        except httptools.HttpParserCallbackError as error:
            # A target that is none is told from inside; anything else is a mistake of ours.
            if isinstance(error.__context__, httptools.HttpParserError):
                self._refuse(NO_HTTP)
            else:
                logger.exception("a request could not be taken")
                self._refuse(FAILED)
        except httptools.HttpParserError:
            self._refuse(NO_HTTP)
        if self._head_since is not None and self._head_size > self._bounds.header_limit:
            self._refuse(TOO_LARGE)

    def eof_received(self) -> None:
        """A client that has half closed counts as gone."""

    def pause_writing(self) -> None:
        self._flow.pause_writing()
        self._stalled_since = monotonic()
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
        self.expects_continue = False
        self._headers = []
        self._idle_since = None
        if self._head_since is None:
            self._head_since = monotonic()
            self._head_size = 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_since is None:
            # Behind the body: a trailer decides nothing.
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expects_continue = True
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._head_since = None
        if self._refused:
            return
        self._heads += 1
        limit, headers = self._bounds.header_limit, self._headers
        too_large = self._head_size > limit and size_of(self._url, headers) > limit
        if too_large or len(headers) > self._bounds.header_count_limit:
            self._refuse(TOO_LARGE)
            return
        dialect = self._hot.dialects.get(path_of(self._url, self._hot.paths))
        parser = self._parser
        self._keep_alive = parser.get_http_version() != "1.0" and bool(parser.should_keep_alive())
        if dialect is None or parser.get_method() != b"POST":
            cycle = self._cold_routes.cycle(
                parser,
                url=self._url,
                headers=headers,
                expects_continue=self.expects_continue,
                keep_alive=self._keep_alive and not self._last,
            )
            self._take(cycle)
        else:
            head = read_head(headers)
            self._take(Exchange(self._hot, dialect, self, head, keep_alive=self._keep_alive))

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
        if self._transport.is_closing():
            return
        if self._flow.read_paused:
            self._flow.resume_reading()
        if self._pipeline:
            self._start(self._pipeline.pop())
        elif self._refusal is not None:
            self._write_refusal(self._refusal)
        else:
            self._idle_since = monotonic()

    def shutdown(self) -> None:
        """uvicorn ends: no request after the one that is there."""
        idle = self._is_free()
        begun = self._head_since is not None and (self._cycle is not None or self._head_size > 0)
        self._last = True
        if idle and (begun or unread(self._transport)):
            return
        if idle:
            self._transport.close()
        else:
            self._cycle.keep_alive = False

    # -- inside ----------------------------------------------------------------------------------

    def _is_free(self) -> bool:
        """Everything that came is answered."""
        return self._cycle is None or bool(self._cycle.response_complete)

    def _take(self, cycle: Any) -> None:
        """A request whose head has come: at once, or when its turn comes."""
        free = self._is_free()
        self._cycle = cycle
        self._receiving = True
        if free:
            self._start(cycle)
        else:
            self._flow.pause_reading()
            self._pipeline.appendleft(cycle)

    def _start(self, cycle: Any) -> None:
        if not isinstance(cycle, Exchange):
            self._cold_routes.start(cycle)
            return
        self._running = cycle
        if self._last:
            cycle.keep_alive = False
        cycle.begin()

    def _refuse(self, answer: bytes) -> None:
        """Answer what is no request, after the requests before it, and read no more."""
        self._refused = True
        self._head_since = None
        if self._receiving and self._pipeline:
            # It broke off inside its body, while it waited for its turn.
            self._pipeline.popleft()
        elif self._receiving or self._is_free():
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
        self._idle_since = monotonic() + LINGER - self._bounds.keep_alive
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()
