"""What the exchange needs of a request's head, read once from the ASGI scope.

A header that decides something (who calls, which conversation, how long) may come only once: with
two, the gateway and the next hop could each believe another one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

import httptools

from slipway_contracts.names import HEADER_CONVERSATION, HEADER_REQUEST_ID, HEADER_USER
from slipway_gateway.errors import BadRequest

_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_ONCE: Final = {
    name.encode(): field
    for name, field in (
        ("authorization", "authorization"),
        (HEADER_CONVERSATION, "conversation"),
        (HEADER_USER, "user"),
        (HEADER_REQUEST_ID, "request_id"),
        ("content-length", "content_length"),
        ("content-type", "content_type"),
        ("content-encoding", "content_encoding"),
        ("traceparent", "traceparent"),
        ("tracestate", "tracestate"),
    )
}
_FORWARDED: Final = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"})
_VALUE_LIMIT: Final = 512
_SIZE: Final = 16
_DRAWN: Final = 256 * _SIZE


@dataclass(slots=True)
class Head:
    """The decisive headers; None where absent. ``repeated`` names the first that came twice.

    ``forwarded``: a proxy sent this, so the address that it came from is not the caller's.
    """

    authorization: str | None = None
    conversation: str | None = None
    user: str | None = None
    request_id: str | None = None
    content_length: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    repeated: str | None = None
    forwarded: bool = False

    def check(self) -> None:
        """Raises BadRequest."""
        if self.repeated is not None:
            raise BadRequest(f"the header {self.repeated} came twice; send it once")
        _bounded("conversation", self.conversation)
        _bounded("user", self.user)

    def is_unique(self) -> bool:
        """Another request's will hardly be the same."""
        return (self.request_id or self.traceparent or self.tracestate) is not None


def _bounded(name: str, value: str | None) -> None:
    if value is not None and len(value) > _VALUE_LIMIT:
        raise BadRequest(f"the {name} id is longer than {_VALUE_LIMIT} characters")


def path_of(url: bytes, plain: Mapping[bytes, str]) -> str:
    """The path that is dispatched: decoded, without query, whatever form the target has.

    ``plain``: what needs no look. Raises HttpParserError: it is none.
    """
    known = plain.get(url)
    if known is not None:
        return known
    target: Any = httptools.parse_url(url)
    return unquote(target.path.decode("ascii")) if target.path else ""


def size_of(url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> int:
    """Bytes of a head, about."""
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)


def read_head(headers: Iterable[tuple[bytes, bytes]]) -> Head:
    """ASGI headers → the decisive ones. Never raises; ``check`` does."""
    head = Head()
    for name, value in headers:
        field = _ONCE.get(name)
        if field is None:
            head.forwarded = head.forwarded or name in _FORWARDED
            continue
        text = value.decode("latin-1").strip()
        before = getattr(head, field)
        if before is not None:
            if field == "tracestate":
                text = f"{before},{text}"
            elif field == "traceparent":
                # Two are none, by its specification; no reason to refuse the request.
                text = ""
            else:
                head.repeated = head.repeated or name.decode()
        setattr(head, field, text)
    return head


def passed_on(head: Head) -> bytes:
    """Header lines of a trace that is the client's own, untouched."""
    if not head.traceparent:
        return b""
    lines = b"traceparent: %b\r\n" % head.traceparent.encode("latin-1")
    if head.tracestate:
        lines += b"tracestate: %b\r\n" % head.tracestate.encode("latin-1")
    return lines


class RequestIds:
    """Ids of requests. Drawn from the kernel for many at once: a call for each costs more."""

    __slots__ = ("_at", "_drawn")

    def __init__(self) -> None:
        self._drawn = b""
        self._at = 0

    def of(self, head: Head) -> str:
        """The client's own where it is a sane one and no key, else a new one: 32 hex digits."""
        given = head.request_id
        if given is not None and _ID.fullmatch(given) and "slw_" not in given.lower():
            return given
        at = self._at
        if at == len(self._drawn):
            self._drawn = os.urandom(_DRAWN)
            at = 0
        self._at = at + _SIZE
        return self._drawn[at : at + _SIZE].hex()
