"""One client request from its head to its last byte, as a state machine of plain calls.

No task and no await: the client's connection, the backend's connection and the sweep of deadlines
call in, and every call ends with the request further on or over. Bytes go through as they are.
The row of an attempt is in the log before the answer's last byte is sent.

::

    RECEIVING ──body──▶ ASKING ──head──▶ RELAYING ──end──▶ OVER
        │                │  ▲ └─never taken: the stable version, once
        └── refused ─────┴──┴── client gone · deadline · backend broken ──▶ OVER

Every end leaves an answer (or a stream's last event) unless the client is gone, a closed record, a
freed place and no call. ``_over`` sees to it, once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final

from slipway_contracts.model import Task
from slipway_gateway import routing
from slipway_gateway.ask import Ask
from slipway_gateway.cache import Question
from slipway_gateway.control.route import Backend, Route
from slipway_gateway.dialects.base import Dialect, Reply, StreamMap
from slipway_gateway.errors import (
    BackendUnreachable,
    GatewayError,
    NoCapacity,
    RateLimited,
    RequestTimeout,
    TooLarge,
    UnsupportedMedia,
)
from slipway_gateway.hotpath import respond
from slipway_gateway.hotpath.admission import admit
from slipway_gateway.hotpath.attempt import CLIENT_GONE, NEVER, Attempt, Owner
from slipway_gateway.hotpath.cached import log_cached
from slipway_gateway.hotpath.head import Head, passed_on
from slipway_gateway.hotpath.record import Subject
from slipway_gateway.outcome import Observed
from slipway_gateway.render import sse_error
from slipway_gateway.tenants.keys import Caller
from slipway_gateway.tenants.limits import Lease
from slipway_gateway.tracing import logged

if TYPE_CHECKING:
    from slipway_gateway.hotpath.deps import HotPath
    from slipway_gateway.hotpath.protocol import ClientConnection

logger = logging.getLogger(__name__)

NO_VERSION: Final = "-"
_TEXT_GENERATION: Final = Task.TEXT_GENERATION
# A chunk of quota comes within milliseconds; a call that found none waits for it this often.
LEASE_WAIT: Final = 0.01
LEASE_TRIES: Final = 20
_NOTHING: Final = Observed()


class Exchange(Owner):
    """Make one at the end of a request's head; ``begin`` it when its turn on the connection comes.

    ``received``: bytes of its body, as yet. ``response_complete`` and ``keep_alive`` are the names
    by which uvicorn's protocol asks.
    """

    __slots__ = (
        "_arrived", "_attempt", "_begun", "_body", "_caller", "_client", "_deadline", "_hot",
        "_is_whole", "_lease", "_parts", "_path", "_question", "_request_id", "_retry", "_seen",
        "_stalled_since", "_started", "_stream_map", "_subject", "_trace", "_version", "dialect",
        "head", "keep_alive", "received", "response_complete",
    )  # fmt: skip

    def __init__(
        self,
        hot: HotPath,
        dialect: Dialect,
        client: ClientConnection,
        head: Head,
        *,
        keep_alive: bool,
    ) -> None:
        self.keep_alive = keep_alive
        self.response_complete = False
        self._hot = hot
        self.dialect = dialect
        self._client = client
        self.head = head
        self._request_id = hot.ids.of(head)
        self._path = dialect.path
        self._trace = hot.trace(head, self._path, self._request_id)
        self._version = NO_VERSION
        self._parts: list[bytes] = []
        self.received = 0
        self._begun = self._is_whole = self._started = False
        self._caller: Caller | None = None
        self._lease: Lease | None = None
        self._subject: Subject | None = None
        self._body = b""
        self._retry: Backend | None = None
        self._attempt: Attempt | None = None
        self._stream_map: StreamMap | None = None
        self._question: Question | None = None
        self._seen = _NOTHING
        self._arrived, self._deadline = 0.0, NEVER
        self._stalled_since: float | None = None

    # -- the client's connection calls -----------------------------------------------------------

    def begin(self) -> None:
        """The requests before it on the connection are answered."""
        self._begun = True
        now = self._arrived = monotonic()
        self._deadline = now + self._hot.bounds.body_timeout
        try:
            self._admit()
        except Exception as error:
            self._fail(error)

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self.response_complete:
            return
        self.received += len(data)
        if self.received > self._hot.bounds.body_limit:
            if self._begun:
                self._fail(self._too_large())
            return
        self._parts.append(data)

    def on_complete(self) -> None:
        """The request is whole."""
        self._is_whole = True
        if self._begun and not self.response_complete:
            try:
                self._route()
            except Exception as error:
                self._fail(error)

    def client_gone(self) -> None:
        """Nobody reads an answer any more."""
        self._over(CLIENT_GONE)

    def stall(self) -> None:
        """The client reads more slowly than the backend writes."""
        self._stalled_since = monotonic()
        if self._attempt is not None:
            self._attempt.stall()

    def flow(self) -> None:
        """It has caught up."""
        self._stalled_since = None
        if self._attempt is not None:
            self._attempt.flow()

    def check(self, now: float) -> None:
        """The sweep of ``Deadlines``."""
        if self._stalled_since is not None:
            if now - self._stalled_since > self._hot.bounds.client_timeout:
                self._client.abort()
        elif now > self._deadline:
            if self._attempt is None:
                self._fail(RequestTimeout("the request body came too slowly"))
            else:
                self._retry = None
                self._attempt.time_out()
        elif self._attempt is not None:
            self._attempt.check(now)

    # -- the way in ------------------------------------------------------------------------------

    def _guarded(self, step: Callable[[], None]) -> None:
        try:  # what every request passes has one of its own, which costs no call
            step()
        except Exception as error:
            self._fail(error)

    def _admit(self) -> None:
        head, hot = self.head, self._hot
        caller = self._caller = admit(hot.keys, head, self._client.client, self._arrived)
        caller.check_route(self._path)
        if head.content_encoding not in (None, "", "identity"):
            raise UnsupportedMedia("send the body uncompressed (no Content-Encoding)")
        if max(self.received, int(head.content_length or 0)) > hot.bounds.body_limit:
            raise self._too_large()
        if self._is_whole:
            self._route()
        elif self._client.expects_continue:
            self._client.write(respond.CONTINUE)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body is over {self._hot.bounds.body_limit} bytes")

    def _route(self) -> None:
        hot, caller, parts = self._hot, self._caller, self._parts
        assert caller is not None
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        route = hot.table.default(_TEXT_GENERATION)
        ask = self.dialect.parse(body, hot.defaults(route))
        if ask.model is not None:
            caller.check(ask.model)
            route = hot.route_of(ask.model, ask.task)
        if route is None:
            raise NoCapacity("no default Model serves text generation; set spec.default on one")
        caller.check(route.model)
        self._enter(ask, route, 0)

    def _enter(self, ask: Ask, route: Route, tries: int) -> None:
        """Within the limits, at once or as soon as the quota's next chunk is here."""
        if self.response_complete:
            return
        hot, caller = self._hot, self._caller
        assert caller is not None
        now = monotonic()
        try:
            self._lease = hot.limits.enter(caller, route.model, now)
        except RateLimited as error:
            if not error.is_leasing or tries >= LEASE_TRIES:
                hot.traffic.limited(caller.tenant, error.param or "")
                raise
            again = partial(self._enter, ask, route, tries + 1)
            asyncio.get_running_loop().call_later(LEASE_WAIT, self._guarded, again)
            return
        hints = routing.Hints(caller.identity, self.head.conversation, self.head.user)
        unit = routing.unit_of(route, ask, hints)
        backend = hot.choose(route, unit, now)
        if backend is None:
            raise NoCapacity(f"no version of {route.model} serves now")
        self._subject = Subject(
            self._request_id, self._path, ask, route, routing.unit_hash(unit), caller
        )
        self._body = self.dialect.upstream_body(ask, route)
        self._version = backend.version
        if hot.cache.takes(ask) and self._answered_before(ask, caller, now):
            return
        self._stream_map = self.dialect.stream(ask, self._request_id)
        self._retry = routing.retry_on(route, backend)
        self._deadline = now + hot.bounds.total_timeout
        hot.gate.retries.requested()
        self._ask(backend, 1, now)

    def _answered_before(self, ask: Ask, caller: Caller, now: float) -> bool:
        """From the cache. No attempt is made; the row says so."""
        tenant = caller.tenant or caller.identity
        question = Question(tenant=tenant, version=self._version, path=ask.path, body=self._body)
        body = self._hot.cache.lookup(question, now)
        if body is None:
            self._question = question
            return False
        status, answer = self.translated(200, body, 0.0)
        assert self._subject is not None
        log_cached(self._hot.journal, self._subject, self._version, body, now)
        self._send_whole(status, answer, respond.JSON + b"x-slipway-cache: hit\r\n")
        return True

    # -- attempts --------------------------------------------------------------------------------

    def _ask(self, backend: Backend, number: int, now: float) -> None:
        """The assigned version first; the second attempt, on the stable one, is the last."""
        subject, trace = self._subject, self._trace
        assert subject is not None
        self._version = backend.version
        attempt = self._attempt = Attempt(self._hot, self, subject, backend, number)
        lines = passed_on(self.head) if trace is None else trace.attempt(subject, backend, number)
        headers = respond.upstream(self._request_id.encode("ascii"), lines)
        attempt.begin(headers, self._body, now, last=self._retry is None)

    def attempt_failed(self, error: GatewayError) -> None:
        """A backend that never took the request may be replaced by another, once."""
        self._attempt = None
        if self._trace is not None:
            self._trace.failed(error)
        retry, self._retry = self._retry, None
        untaken = isinstance(error, BackendUnreachable)
        now = monotonic()
        if retry is None or not untaken or not self._hot.gate.retries.spend(now):
            self._fail(error)
        else:
            self._guarded(lambda: self._ask(retry, 2, now))

    # -- its answer ------------------------------------------------------------------------------

    def translated(self, status: int, body: bytes, millis: float) -> tuple[int, bytes]:
        """In the client's language."""
        assert self._subject is not None
        ask = self._subject.ask
        reply = Reply(status, body, self._version, millis, self._request_id, ask)
        answer = self.dialect.whole(reply)
        if self._question is not None and status == 200 and self._version == self._question.version:
            self._hot.cache.store(self._question, body, monotonic())
        return answer

    def answered(self, status: int, body: bytes, headers: bytes, seen: Observed) -> None:
        """What ``translated`` gave."""
        self._seen, self._attempt = seen, None
        self._send_whole(status, body, headers)
        assert self._subject is not None
        self._hot.shadows.offer(self._subject, self._body)

    def stream_begins(self, status: int, headers: bytes) -> None:
        """A stream passes as it is, unless the dialect says otherwise."""
        self._client.write(self._message(status, headers, respond.CHUNKED, b""))

    def stream_goes_on(self, events: bytes) -> None:
        """Towards the client."""
        if self._stream_map is None:
            self._client.write(respond.chunk(events))
        else:
            self._guarded(partial(self._write_mapped, self._stream_map, events))

    def stream_ends(self, events: bytes, seen: Observed) -> None:
        """A proper end."""
        self._seen, self._attempt = seen, None
        if self._stream_map is not None:
            self._guarded(partial(self._end_mapped, self._stream_map, events))
        else:
            self._client.write(respond.chunk(events) + respond.LAST_CHUNK)
        if not self.response_complete:
            self._over(200)
        assert self._subject is not None
        self._hot.shadows.offer(self._subject, self._body)

    def _write_mapped(self, stream_map: StreamMap, events: bytes) -> None:
        self._client.write(respond.chunk(stream_map.feed(events)))

    def _end_mapped(self, stream_map: StreamMap, events: bytes) -> None:
        last = respond.chunk(stream_map.feed(events) + stream_map.end())
        self._client.write(last + respond.LAST_CHUNK)

    # -- the way out -----------------------------------------------------------------------------

    def _fail(self, error: Exception) -> None:
        """What a step has raised, whatever it is: an answer, or the last event of a stream."""
        if not isinstance(error, GatewayError):
            extra = logged(self._request_id, self._trace)
            logger.error("request failed", exc_info=error, extra=extra)
            error = GatewayError("the gateway failed on this request")
        if self.response_complete:
            return
        if self._started:
            mapped = self._stream_map
            last = sse_error(error, self._request_id) if mapped is None else mapped.failed(error)
            self._client.write(respond.chunk(last) + respond.LAST_CHUNK)
            self._over(200)
            return
        status, body = self.dialect.failure(error, self._request_id)
        headers = respond.JSON
        if error.retry_after is not None:
            headers += b"retry-after: %d\r\n" % error.retry_after
        if isinstance(error, RateLimited):
            headers += respond.lines(error.headers)
        if status in (408, 413):
            # The rest of the body is not read.
            self.keep_alive = False
        self._send_whole(status, body, headers)

    def _send_whole(self, status: int, body: bytes, headers: bytes) -> None:
        if status == 503 and b"retry-after:" not in headers:
            headers += b"retry-after: 1\r\n"
        # One write: each is a packet, and on most kernels the dearest thing that a request does.
        self._client.write(self._message(status, headers, respond.sized(body), body))
        self._over(status)

    def _message(self, status: int, headers: bytes, framing: bytes, body: bytes) -> bytes:
        defaults = self._client.defaults()
        if defaults.closes:
            self.keep_alive = False
        elif not self.keep_alive:
            headers += respond.CLOSE
        if self._lease is not None and (limits := self._lease.headers):
            headers += respond.lines(limits)
        self._started = True
        version, request_id = self._version.encode("ascii"), self._request_id.encode("ascii")
        headers = defaults.lines + headers
        return respond.message(status, headers, version, request_id, framing, body)

    def _over(self, status: int) -> None:
        """Leave nothing behind."""
        if self.response_complete:
            return
        self.response_complete = True
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            if attempt.sniffer is not None:
                self._seen = attempt.sniffer.seen
            attempt.cancel()
        if self._lease is not None:
            self._lease.settle(self._seen.prompt_tokens, self._seen.completion_tokens_so_far)
        self._hot.traffic.answered("POST", self._path, status)
        if self._trace is not None:
            self._trace.end(status, self._version, self._seen)
        self._client.answered(self)
