"""One client request from its head to its last byte.

Admit → read → parse (dialect) → route → attempt, perhaps a second → relay → log. Bytes go through
as they are. The client's leaving and every deadline end the same await: this task is cancelled
from outside (``_leave``, ``_cut``), which closes the backend's connection, and the reason decides
what follows. The row of an attempt is in the log before the answer's last byte is sent.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from slipway_contracts.model import Task
from slipway_contracts.names import HEADER_REQUEST_ID, HEADER_VERSION
from slipway_contracts.route import BackendRoute, ModelRoute
from slipway_gateway import routing
from slipway_gateway.dialects.base import Dialect, Reply
from slipway_gateway.errors import (
    BackendBroken,
    BackendError,
    BackendTimeout,
    BackendUnreachable,
    GatewayError,
    NoCapacity,
    RequestTimeout,
    SchemaViolation,
    UnknownModel,
)
from slipway_gateway.hotpath.admission import admit
from slipway_gateway.hotpath.body import read_body
from slipway_gateway.hotpath.deps import HotPath
from slipway_gateway.hotpath.head import read_head, request_id_of
from slipway_gateway.hotpath.protocol import ABORT, WATCH
from slipway_gateway.hotpath.record import Record, Subject
from slipway_gateway.hotpath.sniff import StreamSniffer, read_whole
from slipway_gateway.hotpath.upstream import Answer
from slipway_gateway.outcome import Events, Observed, judge
from slipway_gateway.render import sse_error
from slipway_gateway.tenants.keys import Caller

logger = logging.getLogger(__name__)

NO_VERSION = "-"
BODY = "http.response.body"
CLIENT_GONE = 499
_JSON = (b"content-type", b"application/json")


class _ClientGone(Exception):
    """The client left; nobody reads an answer any more."""


class Exchange:
    """Make one for each request; ``run`` once."""

    def __init__(self, hot: HotPath, dialect: Dialect, scope: Any, receive: Any, send: Any) -> None:
        self._hot = hot
        self._dialect = dialect
        self._scope = scope
        self._receive = receive
        self._send = send
        self._head = read_head(scope["headers"])
        self._request_id = request_id_of(self._head)
        self._version = NO_VERSION
        self._task: asyncio.Task[Any] | None = None
        self._record: Record | None = None
        self._deadline = time.monotonic() + hot.settings.body_timeout
        self._timeout: GatewayError = RequestTimeout("the request body came too slowly")
        self._hard_deadline = float("inf")
        self._overdue_at = float("inf")
        self._sending_since: float | None = None
        self._cut_by: GatewayError | None = None
        self._gone = False
        self._started = False
        self._over = False
        self.status = CLIENT_GONE

    async def run(self) -> None:
        """Answer the request; the only place that catches everything."""
        self._task = asyncio.current_task()
        self._hot.deadlines.add(self)
        try:
            await self._interruptible()
        except _ClientGone:
            self.status = CLIENT_GONE
        except GatewayError as error:
            await self._fail(error)
        except Exception:
            logger.exception("request failed", extra={"request_id": self._request_id})
            await self._fail(GatewayError("the gateway failed on this request"))
        finally:
            self._over = True
            self._hot.deadlines.remove(self)
            self._hot.metrics.answered(self._scope["method"], self._dialect.path, self.status)

    async def _interruptible(self) -> None:
        """``_answer``, with a cancellation from inside turned back into its reason."""
        try:
            await self._answer()
        except asyncio.CancelledError:
            if self._gone or self._cut_by is not None:
                assert self._task is not None
                self._task.uncancel()
            self._end_unfinished()
            if self._gone:
                raise _ClientGone from None
            if self._cut_by is not None:
                raise self._cut_by from None
            raise

    # -- what ends the waiting -------------------------------------------------------------------

    def check(self, now: float) -> None:
        """The sweep of ``Deadlines``."""
        if self._over:
            return
        if self._sending_since is not None:
            # Waiting for the client, not for the backend.
            if now - self._sending_since > self._hot.settings.client_timeout:
                self._scope["state"].get(ABORT, lambda: None)()
            return
        record = self._record
        if now > self._overdue_at and record is not None and not record.closed:
            self._overdue_at = float("inf")
            record.mark_overdue()
        if now > self._deadline or now > self._hard_deadline:
            self._deadline = self._hard_deadline = float("inf")
            self._cut_by = self._timeout
            self._interrupt()

    def _watch_client(self) -> None:
        """From here on the only news of the client can be that it has left."""
        watch = self._scope["state"].get(WATCH)
        if watch is not None:
            watch(self._leave)
        else:
            # Another server than ours: the ASGI way, a task that waits.
            watcher = asyncio.ensure_future(self._receive())
            watcher.add_done_callback(self._watched)

    def _watched(self, watcher: asyncio.Future[Any]) -> None:
        if not watcher.cancelled() and watcher.exception() is None:
            self._leave()

    def _leave(self) -> None:
        if self._over or self._cut_by is not None:
            return
        self._gone = True
        self._interrupt()

    def _interrupt(self) -> None:
        if self._task is not None and not self._over:
            self._task.cancel()

    # -- the way in ------------------------------------------------------------------------------

    async def _answer(self) -> None:
        hot = self._hot
        caller = admit(hot.keys, self._head, self._scope)
        body = await read_body(self._head, self._receive, hot.settings.body_limit)
        if body is None:
            raise _ClientGone
        self._deadline = float("inf")
        default = hot.table.default(Task.TEXT_GENERATION)
        ask = self._dialect.parse(body, hot.defaults(default))
        route = default if ask.model is None else self._named(ask.model, caller)
        if route is None:
            raise NoCapacity("no default Model serves text generation; set spec.default on one")
        caller.check(route.model)
        hints = routing.Hints(
            caller=caller.identity, conversation=self._head.conversation, user=self._head.user
        )
        unit = routing.unit_of(route, ask, hints)
        backend = hot.choose(route, unit)
        if backend is None:
            raise NoCapacity(f"no version of {route.model} serves now")
        self._watch_client()
        subject = Subject(
            request_id=self._request_id,
            path=self._dialect.path,
            ask=ask,
            route=route,
            unit_hash=routing.unit_hash(unit),
            caller=caller,
        )
        upstream_body = self._dialect.upstream_body(ask, route)
        await self._attempts(subject, backend, upstream_body)
        hot.shadows.offer(subject, upstream_body)

    def _named(self, model: str, caller: Caller) -> ModelRoute:
        caller.check(model)
        route = self._hot.table.get(model)
        if route is None:
            raise UnknownModel(f"there is no model {model!r}; see /v1/models", param="model")
        if route.task is not Task.TEXT_GENERATION:
            raise SchemaViolation(f"the model {model} is for {route.task.value}", param="model")
        return route

    # -- attempts --------------------------------------------------------------------------------

    async def _attempts(self, subject: Subject, backend: BackendRoute, body: bytes) -> None:
        """The assigned version, then once the stable one if the first never took the request."""
        self._hard_deadline = time.monotonic() + self._hot.settings.total_timeout
        retry = routing.retry_on(subject.route, backend)
        try:
            await self._attempt(subject, backend, body, number=1, last=retry is None)
        except BackendUnreachable:
            if retry is None or self._started:
                raise
            await self._attempt(subject, retry, body, number=2, last=True)

    async def _attempt(
        self, subject: Subject, backend: BackendRoute, body: bytes, *, number: int, last: bool
    ) -> None:
        hot = self._hot
        record = Record(hot.journal, subject, version=backend.version, number=number)
        self._record = record
        self._version = backend.version
        self._timeout = BackendTimeout("the backend did not answer in time")
        self._deadline = record.began + hot.settings.first_byte_timeout
        overdue_ms = subject.route.overdue_ms
        if subject.ask.stream and overdue_ms is not None:
            self._overdue_at = record.began + overdue_ms / 1000
        try:
            answer = await hot.upstream.post(
                backend.url, subject.ask.path, body=body, headers=self._upstream_headers()
            )
            try:
                if answer.is_stream and answer.status == 200:
                    await self._relay_stream(subject, record, answer)
                else:
                    await self._relay_whole(subject, record, answer, last=last)
            finally:
                answer.close()
        except BackendError as error:
            # Closed already where the answer itself said so.
            record.close(error.status, Events(error=True), Observed(), message=error.message)
            raise
        finally:
            self._overdue_at = float("inf")

    async def _relay_whole(
        self, subject: Subject, record: Record, answer: Answer, *, last: bool
    ) -> None:
        body = await answer.whole()
        if answer.never_taken(last=last):
            raise BackendUnreachable(f"the backend of {record.version} is not there")
        seen = read_whole(body)
        broken = seen is None and answer.status < 400
        seen = seen or Observed()
        events = judge(subject.ask, answer.status, seen, broken=broken, body=body)
        if broken:
            raise BackendBroken("the backend's answer is not a JSON object")
        reply = Reply(
            status=answer.status,
            body=body,
            version=record.version,
            millis=record.millis(),
            request_id=self._request_id,
        )
        status, out = self._dialect.whole(reply)
        message = body[:500].decode("utf-8", "replace") if answer.status >= 400 else None
        record.close(answer.status, events, seen, message=message)
        headers = answer.headers() if out is body else [_JSON]
        await self._send_whole(status, out, headers)

    async def _relay_stream(self, subject: Subject, record: Record, answer: Answer) -> None:
        sniffer = StreamSniffer()
        idle = self._hot.settings.idle_timeout
        await self._start(answer.status, answer.headers())
        try:
            while chunk := await answer.chunk():
                now = time.monotonic()
                if out := sniffer.feed(chunk, now):
                    if sniffer.seen.first_content is not None:
                        self._overdue_at = float("inf")
                    # Until the client has taken it: its slowness is not the backend's.
                    self._sending_since = now
                    await self._send({"type": BODY, "body": out, "more_body": True})
                    self._sending_since = None
                self._deadline = time.monotonic() + idle
            rest = sniffer.rest(time.monotonic())
            if not sniffer.seen.whole and not sniffer.blind:
                raise BackendBroken("the backend's stream ended before its answer did")
        except (BackendError, asyncio.CancelledError) as error:
            self._broken_stream(record, answer, sniffer.seen, error)
            raise
        events = judge(subject.ask, answer.status, sniffer.seen, broken=False)
        record.close(answer.status, events, sniffer.seen)
        await self._finish(rest)

    def _broken_stream(
        self, record: Record, answer: Answer, seen: Observed, error: BaseException
    ) -> None:
        """The row of a stream that did not end by itself, with what was seen of it."""
        if isinstance(error, asyncio.CancelledError):
            if self._cut_by is None:
                record.close(answer.status, Events(), seen, client_gone=True)
                return
            error = self._cut_by
        record.close(answer.status, Events(error=True), seen, message=str(error))

    def _end_unfinished(self) -> None:
        """Cancelled before an answer began: who ended it decides what the row says."""
        record = self._record
        if record is None or record.closed:
            return
        if self._cut_by is not None:
            error = self._cut_by
            record.close(error.status, Events(error=True), Observed(), message=error.message)
        else:
            record.close(CLIENT_GONE, Events(), Observed(), client_gone=True)

    # -- the way out -----------------------------------------------------------------------------

    async def _fail(self, error: GatewayError) -> None:
        """An error of the gateway's own: an answer, or the last event of a stream."""
        self._over = True
        if self._started:
            await self._finish(sse_error(error, self._request_id))
            return
        status, body = self._dialect.failure(error, self._request_id)
        headers = [_JSON]
        if error.retry_after is not None:
            headers.append((b"retry-after", str(error.retry_after).encode()))
        if status in (408, 413):
            # The rest of the body is not read.
            headers.append((b"connection", b"close"))
        await self._send_whole(status, body, headers)

    async def _send_whole(
        self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]
    ) -> None:
        if status == 503 and not any(name == b"retry-after" for name, _ in headers):
            headers.append((b"retry-after", b"1"))
        await self._start(status, [*headers, (b"content-length", str(len(body)).encode())])
        await self._finish(body)

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        headers.append((HEADER_VERSION.encode(), self._version.encode()))
        headers.append((HEADER_REQUEST_ID.encode(), self._request_id.encode()))
        self._started = True
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _finish(self, data: bytes) -> None:
        self._over = True
        self._hot.deadlines.remove(self)
        await self._send({"type": BODY, "body": data, "more_body": False})

    def _upstream_headers(self) -> dict[str, str]:
        headers = {
            "content-type": "application/json",
            "accept-encoding": "identity",
            HEADER_REQUEST_ID: self._request_id,
        }
        if self._head.traceparent is not None:
            headers["traceparent"] = self._head.traceparent
        return headers
