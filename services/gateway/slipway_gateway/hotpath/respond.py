"""The bytes of answers (status line, headers, chunks), and what requests to backends share.

Heads are put together from parts that are rendered once: uvicorn's default headers change once a
second, status lines never.
"""

from __future__ import annotations

import http
from collections.abc import Iterable, Sequence
from typing import Final

from slipway_contracts.names import HEADER_REQUEST_ID, HEADER_VERSION

JSON: Final = b"content-type: application/json\r\n"
CLOSE: Final = b"connection: close\r\n"
CHUNKED: Final = b"transfer-encoding: chunked\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_VERSION: Final = f"{HEADER_VERSION}: ".encode()
_REQUEST_ID: Final = f"\r\n{HEADER_REQUEST_ID}: ".encode()


def _status_line(status: int) -> bytes:
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")


_STATUS_LINES: Final = {status: _status_line(status) for status in range(100, 1000)}


class Defaults:
    """The server's default headers, rendered when they change. ``closes``: they say so."""

    def __init__(self) -> None:
        self._source: object = None
        self.lines = b""
        self.closes = False

    def update(self, source: Sequence[tuple[bytes, bytes]]) -> None:
        """uvicorn makes a new list each second."""
        if source is not self._source:
            self._source = source
            self.lines = lines(source)
            self.closes = any(name == b"connection" for name, _ in source)


def message(
    status: int, headers: bytes, version: bytes, request_id: bytes, framing: bytes, body: bytes
) -> bytes:
    """A head and what is there of its body. ``headers`` and ``framing`` are lines, the last with
    the empty one that ends the head."""
    # Of bytes alone and written out here, a format is one copy, compiled.
    return b"%b%b%b%b%b%b\r\n%b%b" % (
        _STATUS_LINES[status],
        headers,
        _VERSION,
        version,
        _REQUEST_ID,
        request_id,
        framing,
        body,
    )


def upstream(request_id: bytes, lines: bytes) -> bytes:
    """The lines that every request to a backend has, and more of them."""
    return b"content-type: application/json\r\naccept-encoding: identity%b%b\r\n%b" % (
        _REQUEST_ID,
        request_id,
        lines,
    )


def sized(body: bytes) -> bytes:
    """The lines that end the head of a message with this body."""
    return b"content-length: %b\r\n\r\n" % str(len(body)).encode("ascii")


def lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Header lines, each with its CRLF."""
    return b"".join(b"%b: %b\r\n" % pair for pair in headers)


def chunk(data: bytes) -> bytes:
    """One chunk; b"" for no data, because an empty chunk would be the last."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
