"""One attempt at answering a request by one backend, from its place in the queue to its row.

::

    WAITING ──turn──▶ SENT ──head──▶ STREAMING | GATHERING ──end──▶ ENDED
       │                │                   │
       └── refused ─────┴── failed, late ───┴── client gone ───────▶ ENDED

``ENDED`` leaves a closed record, a freed place and no call; who owns the attempt is told by one of
``Owner``'s methods, except when it was the owner who ended it. Knows no client and no dialect.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING, Final

from slipway_gateway.control.route import Backend
from slipway_gateway.errors import (
    BackendBroken,
    BackendError,
    BackendTimeout,
    BackendUnreachable,
    GatewayError,
    NoCapacity,
)
from slipway_gateway.hotpath import respond
from slipway_gateway.hotpath.record import Record, Subject
from slipway_gateway.hotpath.sniff import StreamSniffer, read_whole
from slipway_gateway.hotpath.upstream import JSON, STREAM, Receiver
from slipway_gateway.outcome import Events, Observed, judge
from slipway_gateway.overload.gate import Outcome, Place

if TYPE_CHECKING:
    from slipway_gateway.hotpath.deps import HotPath
    from slipway_gateway.hotpath.pool import Call

logger = logging.getLogger(__name__)

CLIENT_GONE: Final = 499
NEVER: Final = float("inf")
_NOTHING: Final = Events()
_ERROR: Final = Events(error=True)


class Owner:
    """The exchange. A base class for the same reason as ``Receiver``."""

    __slots__ = ()

    def stream_begins(self, status: int, headers: bytes) -> None:
        """``headers``: lines that may be passed on."""
        raise NotImplementedError

    def stream_goes_on(self, events: bytes) -> None:
        """Whole events."""
        raise NotImplementedError

    def stream_ends(self, events: bytes, seen: Observed) -> None:
        """The last ones; the row is in the log."""
        raise NotImplementedError

    def translated(self, status: int, body: bytes, millis: float) -> tuple[int, bytes]:
        """A whole answer in the client's language. Raises BackendError: it is none."""
        raise NotImplementedError

    def answered(self, status: int, body: bytes, headers: bytes, seen: Observed) -> None:
        """What ``translated`` gave; the row is in the log."""
        raise NotImplementedError

    def attempt_failed(self, error: GatewayError) -> None:
        """Nothing more comes. ``BackendUnreachable``: another backend may be asked."""
        raise NotImplementedError


class Attempt(Receiver):
    """Make one, then ``begin``."""

    __slots__ = (
        "_answer", "_body", "_call", "_deadline", "_ended", "_headers", "_hot", "_is_json", "_last",
        "_number", "_overdue_at", "_owner", "_place", "_size", "_status", "_subject", "backend",
        "record", "sniffer",
    )  # fmt: skip

    def __init__(
        self, hot: HotPath, owner: Owner, subject: Subject, backend: Backend, number: int
    ) -> None:
        self.backend = backend
        self.record: Record | None = None
        self.sniffer: StreamSniffer | None = None
        self._hot = hot
        self._owner = owner
        self._subject = subject
        self._number = number
        self._place: Place | None = None
        self._call: Call | None = None
        self._answer: list[bytes] = []
        self._size = self._status = 0
        self._deadline = self._overdue_at = NEVER
        self._ended = self._is_json = False

    def begin(self, headers: bytes, body: bytes, now: float, *, last: bool) -> None:
        """Ask for a place, and send when there is one. ``last``: nobody is asked after this.

        Raises NoCapacity; then there was no attempt and there is no row.
        """
        self._headers, self._body, self._last = headers, body, last
        place = self._hot.gate.enter(
            self.backend.url,
            self._subject.caller,
            now,
            self._on_turn,
            # What a candidate's failures mean is the rollout's to judge, by real attempts.
            probing=self.backend.role == "candidate",
        )
        self._place = place
        if place.turn.admitted:
            self._send(now)

    def cancel(self) -> None:
        """Nobody reads an answer any more."""
        if self._ended:
            return
        now = monotonic()
        if self.record is not None:
            seen = Observed() if self.sniffer is None else self.sniffer.seen
            status = self._status or CLIENT_GONE
            self.record.close(status, _NOTHING, seen, now, client_gone=True)
        self._end(Outcome.UNKNOWN, now)

    def stall(self) -> None:
        """The client reads more slowly than the backend writes."""
        if self._place is not None:
            self._place.timed = False
        if self._call is not None and self._call.connection is not None:
            self._call.connection.pause_reading()

    def flow(self) -> None:
        """It has caught up; its slowness was not the backend's."""
        if self._call is not None and self._call.connection is not None:
            self._call.connection.resume_reading()
            self._deadline = monotonic() + self._hot.bounds.idle_timeout

    def check(self, now: float) -> None:
        """The sweep of ``Deadlines``."""
        if now > self._overdue_at and self.record is not None:
            self._overdue_at = NEVER
            self.record.mark_overdue()
        if now > self._deadline:
            self.time_out()

    def time_out(self) -> None:
        """A deadline of the attempt or of the whole request."""
        if not self._ended:
            self._fail(BackendTimeout("the backend did not answer in time"), Outcome.FAILED)

    # -- sending ---------------------------------------------------------------------------------

    def _on_turn(self, refusal: NoCapacity | None) -> None:
        if refusal is None:
            self._send(monotonic())
        else:
            self._end(Outcome.UNKNOWN, monotonic())
            self._owner.attempt_failed(refusal)

    def _send(self, now: float) -> None:
        hot, subject = self._hot, self._subject
        self.record = Record(hot.journal, subject, self.backend.version, self._number, now)
        self._deadline = now + hot.bounds.first_byte_timeout
        overdue_ms = subject.route.overdue_ms
        if subject.ask.stream and overdue_ms is not None:
            self._overdue_at = now + overdue_ms / 1000
        self._call = hot.upstream.post(
            self.backend.url, subject.ask.path, self, headers=self._headers, body=self._body
        )

    # -- the backend's connection calls ----------------------------------------------------------

    def head(self, status: int, content_type: bytes, headers: bytes) -> None:
        """The backend's answer begins."""
        self._status = status
        if status == 200 and content_type.startswith(STREAM):
            self.sniffer = StreamSniffer()
            if self._place is not None:
                # Of a whole answer the first byte tells its length, not the load.
                self._place.first_byte(monotonic())
            self._owner.stream_begins(status, headers)
        else:
            self._headers = headers
            self._is_json = content_type.startswith(JSON)

    def read(self, data: bytes, ended: bool) -> None:
        """Bytes of its body."""
        if self._ended:
            return
        now = monotonic()
        self._deadline = now + self._hot.bounds.idle_timeout
        if ended:
            self._call = None
        if self.sniffer is not None:
            self._relay(self.sniffer, data, ended, now)
            return
        if data:
            self._answer.append(data)
            self._size += len(data)
        if self._size > self._hot.bounds.answer_limit:
            too_large = BackendBroken("the backend's answer is larger than answer_limit")
            self._fail(too_large, Outcome.FAILED)
        elif ended:
            parts = self._answer
            self._whole(parts[0] if len(parts) == 1 else b"".join(parts), now)

    def failed(self, error: BackendError) -> None:
        """It broke off, or was never there."""
        self._call = None
        unreachable = isinstance(error, BackendUnreachable)
        self._fail(error, Outcome.REFUSED if unreachable else Outcome.FAILED)

    def _relay(self, sniffer: StreamSniffer, data: bytes, ended: bool, now: float) -> None:
        events = sniffer.feed(data, now)
        seen = sniffer.seen
        if seen.first_content is not None:
            self._overdue_at = NEVER
        rest = sniffer.rest(now) if ended else b""
        broken = ended and not seen.whole and not sniffer.blind
        if not ended or broken:
            if events:
                self._owner.stream_goes_on(events)
            if not broken:
                return
            early = BackendBroken("the backend's stream ended before its answer did")
            self._fail(early, Outcome.FAILED)
            return
        self._close(judge(self._subject.ask, self._status, seen, broken=False), seen, now)
        self._served(seen, now)
        self._end(Outcome.ANSWERED, now)
        self._owner.stream_ends(events + rest, seen)

    def _whole(self, body: bytes, now: float) -> None:
        status = self._status
        if self._never_taken():
            absent = BackendUnreachable(f"the backend of {self.backend.version} is not there")
            self._fail(absent, Outcome.REFUSED)
            return
        seen = read_whole(body)
        if seen is None and status < 400:
            broken = BackendBroken("the backend's answer is not a JSON object")
            self._fail(broken, Outcome.FAILED)
            return
        assert self.record is not None
        try:
            answered, out = self._owner.translated(status, body, self.record.millis(now))
        except BackendError as error:
            self._fail(error, Outcome.FAILED)
            return
        except Exception:
            logger.exception("translating failed", extra={"version": self.backend.version})
            self._fail(BackendBroken("the backend's answer cannot be read"), Outcome.FAILED)
            return
        seen = seen or Observed()
        events = judge(self._subject.ask, status, seen, broken=False, body=body)
        said = body[:500].decode("utf-8", "replace") if status >= 400 else None
        self._close(events, seen, now, said)
        if status == 200:
            self._served(seen, now)
        self._end(_outcome(status), now)
        self._owner.answered(answered, out, self._headers if out is body else respond.JSON, seen)

    def _never_taken(self) -> bool:
        """The proxy in front of the version answered, not the version: it has no room or no such
        application. The last attempt's 503 is passed on as it is."""
        if self._status == 404:
            return not self._is_json
        return self._status == 503 and not self._last

    def _served(self, seen: Observed, now: float) -> None:
        if self._place is not None:
            tokens, prompt = seen.completion_tokens_so_far or 0, seen.prompt_tokens or 0
            self._place.served(now, tokens=tokens, prompt=prompt)

    # -- the end ---------------------------------------------------------------------------------

    def _close(self, events: Events, seen: Observed, now: float, said: str | None = None) -> None:
        if self.record is not None:
            message = None if said is None else f"the backend answered {self._status}"
            self.record.close(self._status, events, seen, now, message=message, said=said)

    def _fail(self, error: BackendError, outcome: Outcome) -> None:
        now = monotonic()
        if self.record is not None:
            if self.sniffer is None:
                status, seen = error.status, Observed()
            else:
                status, seen = self._status, self.sniffer.seen
            self.record.close(status, _ERROR, seen, now, message=error.message)
        self._end(outcome, now)
        if self.sniffer is not None and self.sniffer.blind:
            # What was passed on may end inside a line, which would swallow what comes next.
            self._owner.stream_goes_on(b"\n\n")
        self._owner.attempt_failed(error)

    def _end(self, outcome: Outcome, now: float) -> None:
        self._ended = True
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._place is not None:
            self._place.end(outcome, now)
            self._place = None


def _outcome(status: int) -> Outcome:
    if status == 429:
        return Outcome.BUSY
    if status == 503:
        return Outcome.REFUSED
    return Outcome.ERROR if status >= 500 else Outcome.ANSWERED
