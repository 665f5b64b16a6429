"""What llhttp itself makes of the bytes of one connection: the reference for hostile requests.

httptools is llhttp; the gateway is built on it too, so where both read the same bytes they must
count the same messages. Reading stops where a server stops: at a refusal, at the end of the bytes,
after a message that ends the connection.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field

import httptools

_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class End(enum.Enum):
    """Why reading stopped."""

    CLEAN = "between two messages"
    REFUSED = "llhttp refused"
    INCOMPLETE = "inside a message"
    CLOSE = "the last message said so"
    UPGRADE = "the last message asked for another protocol"


@dataclass(slots=True)
class Message:
    """One request as llhttp read it."""

    method: bytes = b""
    target: bytes = b""
    version: str = ""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    keep_alive: bool = True
    upgrade: bool = False
    head_whole: bool = False
    whole: bool = False

    @property
    def request_id(self) -> bytes | None:
        """The id that an answer must carry; None where the request has no sane one, or two."""
        given = [value.strip() for name, value in self.headers if name.lower() == b"x-request-id"]
        return given[0] if len(given) == 1 and _ID.fullmatch(given[0]) else None


@dataclass(slots=True, kw_only=True)
class Verdict:
    """``messages``: the whole ones in order. ``broken``: one whose head at least began."""

    messages: list[Message]
    end: End
    broken: Message | None = None
    reason: str = ""


class _Reader:
    """httptools' callbacks."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.parser = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        self.messages.append(Message())

    def on_url(self, url: bytes) -> None:
        self.messages[-1].target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        # httptools gives trailers as headers; they come too late to decide anything.
        if not self.messages[-1].head_whole:
            self.messages[-1].headers.append((name, value))

    def on_headers_complete(self) -> None:
        last = self.messages[-1]
        last.head_whole = True
        last.method, last.version = self.parser.get_method(), self.parser.get_http_version()
        last.keep_alive = self.parser.should_keep_alive() and last.version != "1.0"
        last.upgrade = self.parser.should_upgrade()

    def on_body(self, body: bytes) -> None:
        self.messages[-1].body += body

    def on_message_complete(self) -> None:
        self.messages[-1].whole = True


def verdict(data: bytes) -> Verdict:
    """Read ``data`` as one connection's requests."""
    reader = _Reader()
    reason = ""
    # One byte at a time, so that what follows a message never hides how it ended.
    for index in range(len(data)):
        try:
            reader.parser.feed_data(data[index : index + 1])
        except httptools.HttpParserUpgrade:
            return Verdict(messages=_whole(reader), end=End.UPGRADE)
        except httptools.HttpParserError as error:
            reason = str(error) or type(error).__name__
            break
        last = reader.messages[-1] if reader.messages else None
        if last is not None and last.whole and not last.keep_alive:
            return Verdict(messages=_whole(reader), end=End.CLOSE)
    messages = _whole(reader)
    broken = next((m for m in reader.messages if not m.whole), None)
    if reason:
        return Verdict(messages=messages, end=End.REFUSED, broken=broken, reason=reason)
    end = End.CLEAN if broken is None else End.INCOMPLETE
    return Verdict(messages=messages, end=end, broken=broken)


def _whole(reader: _Reader) -> list[Message]:
    return [message for message in reader.messages if message.whole]
