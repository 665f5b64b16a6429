"""Copies of a sampled share of the traffic, for a version that serves nobody yet.

A copy starts after its original has been answered, so it delays nobody; its answer is drained,
judged and logged with ``shadow`` true, and goes nowhere. Copies beyond the bound are dropped.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from slipway_contracts.route import ShadowRoute
from slipway_gateway.errors import BackendBroken, BackendError, BackendTimeout
from slipway_gateway.hotpath import respond
from slipway_gateway.hotpath.deadlines import Deadlines
from slipway_gateway.hotpath.pool import Call, Upstream
from slipway_gateway.hotpath.record import Journal, Record, Subject
from slipway_gateway.hotpath.sniff import StreamSniffer, read_whole
from slipway_gateway.hotpath.upstream import Receiver
from slipway_gateway.outcome import Events, Observed, judge

logger = logging.getLogger(__name__)

# Originals are attempts 1 and 2 of a request.
SHADOW_ATTEMPT = 0


class Shadows:
    """Runs the copies. ``is_fenced``: a fenced gateway sends nothing to a candidate."""

    def __init__(
        self,
        journal: Journal,
        upstream: Upstream,
        deadlines: Deadlines,
        *,
        concurrency: int,
        timeout: float,
        answer_limit: int,
        is_fenced: Callable[[], bool],
    ) -> None:
        self._journal = journal
        self._upstream = upstream
        self._deadlines = deadlines
        self._concurrency = concurrency
        self._timeout = timeout
        self._answer_limit = answer_limit
        self._is_fenced = is_fenced
        self._running: set[_Copy] = set()
        self._random = random.Random()
        self.dropped = 0

    def offer(self, subject: Subject, body: bytes) -> None:
        """Copy this request, if its route wants it and there is room. Returns at once."""
        shadow = subject.route.shadow
        if shadow is None or self._is_fenced() or self._random.random() >= shadow.sample:
            return
        if len(self._running) >= self._concurrency:
            self.dropped += 1
            return
        record = Record(
            self._journal, subject, shadow.version, SHADOW_ATTEMPT, time.monotonic(), shadow=True
        )
        copy = _Copy(subject, record, self._ended, answer_limit=self._answer_limit)
        copy.deadline = record.began + self._timeout
        self._running.add(copy)
        self._deadlines.add(copy)
        copy.call = self._post(subject, shadow, body, copy)

    def _post(self, subject: Subject, shadow: ShadowRoute, body: bytes, copy: _Copy) -> Call:
        headers = respond.upstream(f"{subject.request_id}-shadow".encode("ascii"), b"")
        return self._upstream.post(shadow.url, subject.ask.path, copy, headers=headers, body=body)

    def _ended(self, copy: _Copy) -> None:
        self._running.discard(copy)
        self._deadlines.remove(copy)


class _Copy(Receiver):
    """One copy: a ``Receiver`` that keeps only what judging needs."""

    def __init__(
        self, subject: Subject, record: Record, ended: Callable[[_Copy], None], *, answer_limit: int
    ) -> None:
        self._subject = subject
        self._record = record
        self._ended = ended
        self._answer_limit = answer_limit
        self._status = 0
        self._sniffer: StreamSniffer | None = None
        self._body = bytearray()
        self.call: Call | None = None
        self.deadline = 0.0

    def check(self, now: float) -> None:
        """The sweep of ``Deadlines``."""
        if now > self.deadline:
            self._broken(BackendTimeout("the copy took too long"))

    def stop(self) -> None:
        """The process ends: the copy has no outcome."""
        self._record.close(499, Events(), Observed(), time.monotonic(), client_gone=True)
        self._end()

    def head(self, status: int, content_type: bytes, headers: bytes) -> None:
        self._status = status
        if status == 200 and content_type.startswith(b"text/event-stream"):
            self._sniffer = StreamSniffer()

    def read(self, data: bytes, ended: bool) -> None:
        if self._sniffer is not None:
            self._sniffer.feed(data, time.monotonic())
        else:
            self._body += data
        if len(self._body) > self._answer_limit:
            self._broken(BackendBroken("the backend's answer is larger than answer_limit"))
        elif ended:
            self._judge()

    def failed(self, error: BackendError) -> None:
        self._broken(error)

    def _judge(self) -> None:
        body = bytes(self._body)
        if self._sniffer is not None:
            self._sniffer.rest(time.monotonic())
            seen = self._sniffer.seen
            broken = not seen.whole and not self._sniffer.blind
        else:
            whole = read_whole(body)
            seen, broken = whole or Observed(), whole is None and self._status < 400
        events = judge(self._subject.ask, self._status, seen, broken=broken, body=body)
        self._record.close(self._status, events, seen, time.monotonic())
        self._end()

    def _broken(self, error: BackendError) -> None:
        now = time.monotonic()
        self._record.close(error.status, Events(error=True), Observed(), now, message=error.message)
        self._end()

    def _end(self) -> None:
        if self.call is not None:
            self.call.cancel()
        self._ended(self)
