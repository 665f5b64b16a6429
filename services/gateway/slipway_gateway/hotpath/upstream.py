"""One HTTP/1.1 connection to a backend: a request out, its answer in, as calls to a ``Receiver``.

httptools parses; bytes of the body are handed on as they came, all that one read brought in one
call. Knows no dialect, no route and no log. Every failure is one of the ``BackendError``s; the one
that matters is ``BackendUnreachable``: the backend never took the request, so it may be sent
elsewhere.

::

    idle ──send──▶ waiting ──head──▶ body ──end──▶ idle, or closed where it may not be kept
                      └──────lost───────┴──lost──▶ closed (the receiver is told)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import httptools

from slipway_gateway.errors import BackendBroken, BackendError, BackendUnreachable
from slipway_gateway.hotpath.known import KnownAnswer, Reader, Shape

HEAD_LIMIT: Final = 64 * 1024
JSON: Final = b"application/json"
STREAM: Final = b"text/event-stream"
# Of the hop between us, or decided here.
_DROPPED: Final = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te",
        b"trailer", b"transfer-encoding", b"upgrade", b"content-length", b"date", b"server",
        b"x-request-id", b"x-slipway-version", b"set-cookie",
    }
)  # fmt: skip


class Receiver:
    """Who asked. After ``failed`` or a ``read`` with ``ended`` nothing more comes.

    A base class, not a Protocol: compiled, its methods are called without a look-up.
    """

    __slots__ = ()

    def head(self, status: int, content_type: bytes, headers: bytes) -> None:
        """The answer begins. ``content_type`` is in lower case; ``headers`` are lines that may be
        passed on, each with its CRLF."""
        raise NotImplementedError

    def read(self, data: bytes, ended: bool) -> None:
        """Body bytes of one read; ``ended`` at its proper end."""
        raise NotImplementedError

    def failed(self, error: BackendError) -> None:
        """No answer, or none to its end."""
        raise NotImplementedError


class Connection:
    """One socket. ``on_idle`` takes it back after an answer that leaves it usable. ``answers``:
    heads that were parsed before, on any connection.

    An ``asyncio.Protocol`` by its methods only: compiled, a class without a base that is not
    compiled has fields instead of a dictionary.
    """

    def __init__(
        self, on_idle: Callable[[Connection], None], answers: dict[bytes, tuple[Shape, KnownAnswer]]
    ) -> None:
        self._on_idle = on_idle
        self._transport: Any = None
        self._receiver: Receiver | None = None
        self._parser: Any = None
        self._body: list[bytes] = []
        self._headers: list[bytes] = []
        self._content_type = b""
        self._head_size = 0
        self._framed = False
        self._status = 0
        self._head_due = False
        self._ended = False
        self._begun = False
        self._reader = Reader(answers)
        self.usable = False
        self.idle_since = 0.0

    # -- what the owner does ---------------------------------------------------------------------

    def send(self, request: bytes, receiver: Receiver) -> None:
        """Ask; the connection must be usable and idle."""
        self._receiver = receiver
        self._ended = self._begun = self._head_due = False
        self._status = 0
        self._transport.write(request)

    def cancel(self, receiver: Receiver) -> None:
        """It does not want the rest: the backend learns that by the connection's end."""
        if self._receiver is receiver:
            self._receiver = None
            self.close()

    def close(self) -> None:
        """At once; safe to call twice."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self) -> None:
        """The client does not keep up."""
        if self.usable:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """It does again."""
        if self.usable:
            self._transport.resume_reading()

    # -- asyncio ---------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        # One for all answers: a connection is used again only after an answer that was whole.
        self._parser = httptools.HttpResponseParser(self)
        self.usable = True

    def data_received(self, data: bytes) -> None:
        receiver = self._receiver
        if receiver is None or self._ended:
            # Nobody asked for this: what follows could be taken for the next answer.
            self.close()
        elif self._begun:
            if self._feed(data):
                self._tell()
        else:
            reader = self._reader
            known = reader.read(data)
            if known is not None and len(data) - reader.start == reader.length:
                self._take_known(known, receiver, data[reader.start :])
            elif self._feed(data):
                if known is None and reader.may_learn:
                    self._learn(data)
                self._tell()

    def _take_known(self, known: KnownAnswer, receiver: Receiver, body: bytes) -> None:
        """A whole answer; the parser never hears of it."""
        self._begun = self._ended = True
        self._receiver = None
        self._on_idle(self)
        receiver.head(200, known.content_type, known.headers)
        receiver.read(body, True)

    def _feed(self, data: bytes) -> bool:
        """False: it was no answer, and the receiver knows."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail("the backend's answer is not HTTP")
            return False
        if self._status == 0 and self._begun:
            self._head_size += len(data)
            if self._head_size > HEAD_LIMIT:
                self._fail("the head of the backend's answer is too large")
                return False
        return True

    def _learn(self, data: bytes) -> None:
        """Know the head of a whole answer from now on."""
        kind, start = self._content_type, self._reader.start
        whole = self._ended and self.usable and self._status == 200
        if not whole or kind.startswith(STREAM) or b"-id: " in data[:start].lower():
            return
        # All that is behind the first empty line was the body: there the head ended.
        if sum(map(len, self._body)) == self._reader.length == len(data) - start:
            headers = b"".join(self._headers)
            self._reader.learn(data, KnownAnswer(content_type=kind, headers=headers))

    def pause_writing(self) -> None:
        """Requests are bounded by ``body_limit``: nobody waits for them to be sent."""

    def resume_writing(self) -> None:
        """As before."""

    def eof_received(self) -> None:
        if self._receiver is not None and self._status and not self._framed:
            # Its end is the answer's end.
            self._ended = True
            self.usable = False
            self._hand_over()

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        receiver, self._receiver = self._receiver, None
        if receiver is None:
            return
        if self._begun:
            broke = BackendBroken("the backend broke off in the middle of its answer")
            receiver.failed(broke)
        else:
            receiver.failed(BackendUnreachable("the backend is not reachable"))

    # -- httptools -------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._ended:
            self.usable = False
            return
        self._begun = True
        self._framed = False
        self._status = self._head_size = 0
        self._headers.clear()
        self._body.clear()
        self._content_type = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._ended:
            return
        name = name.lower()
        if name == b"content-type":
            if self._content_type:
                return
            self._content_type = value.lower()
        elif name in (b"content-length", b"transfer-encoding"):
            self._framed = True
        if name not in _DROPPED:
            self._headers.append(b"%b: %b\r\n" % (name, value))

    def on_headers_complete(self) -> None:
        if self._ended:
            return
        status = self._parser.get_status_code()
        if not 100 <= status < 200:
            # Told after the parser has returned: it would take an error in there for its own.
            self._status = status
            self._content_type = self._content_type or JSON
            self._head_due = True

    def on_body(self, body: bytes) -> None:
        if not self._ended:
            self._body.append(body)

    def on_message_complete(self) -> None:
        # An informational answer is not the answer.
        if self._status:
            self._ended = True
            # Asked later, the parser has forgotten the message.
            self.usable = self.usable and bool(self._parser.should_keep_alive())

    # -- inside ----------------------------------------------------------------------------------

    def _tell(self) -> None:
        """What the parser has found in one read."""
        receiver = self._receiver
        if self._head_due and receiver is not None:
            self._head_due = False
            status = self._status
            if not 200 <= status < 600 or 300 <= status < 400:
                self._fail(f"the backend answered {status}, which is no answer")
                return
            receiver.head(status, self._content_type, b"".join(self._headers))
        if self._body or self._ended:
            self._hand_over()

    def _hand_over(self) -> None:
        body = self._body
        data = body[0] if len(body) == 1 else b"".join(body)
        body.clear()
        receiver, ended = self._receiver, self._ended
        if ended:
            self._receiver = None
            if self.usable:
                self._on_idle(self)
            else:
                self.close()
        if receiver is not None:
            receiver.read(data, ended)

    def _fail(self, why: str) -> None:
        receiver, self._receiver = self._receiver, None
        self.close()
        if receiver is not None:
            receiver.failed(BackendBroken(why))
