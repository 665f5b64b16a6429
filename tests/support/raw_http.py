"""HTTP/1.1 by hand: bytes over a socket, and the answers that came back, read strictly.

For tests of what a server does with bytes that no client library would send.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# After this long without a byte the next part is sent.
SILENCE = 0.3
_STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2})(?: [^\r\n]*)?")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*")


class NotHttpError(Exception):
    """The answer is none, or its framing lies."""


@dataclass(slots=True, kw_only=True)
class Response:
    """One answer. Header names are lower case; ``whole`` false: the connection ended inside it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    whole: bool = True

    def header(self, name: str) -> str | None:
        """The value; None without one. Raises NotHttpError where it came twice."""
        found = [value for key, value in self.headers if key == name.encode()]
        if len(found) > 1:
            raise NotHttpError(f"{name} came twice: {found}")
        return found[0].decode("latin-1") if found else None

    @property
    def closes(self) -> bool:
        return (self.header("connection") or "").lower() == "close"

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[bytes]:
        """The payloads of the server-sent events of a body."""
        lines = self.body.replace(b"\r\n", b"\n").split(b"\n\n")
        return [line.removeprefix(b"data:").strip() for line in lines if line.strip()]


@dataclass(slots=True, kw_only=True)
class Talk:
    """What came back on one connection. ``closed`` false: the deadline passed first."""

    data: bytes = b""
    closed: bool = False
    reset: bool = False
    seconds: float = 0.0


async def talk(
    port: int, pieces: Sequence[bytes], *, deadline: float = 30.0, after: Sequence[bytes] = ()
) -> Talk:
    """Write ``pieces``; when something has come back, or a while has passed, write ``after``.

    Reads to the end of the connection. Bare sockets: what arrived before a reset still counts, and
    a transport would throw it away when its own writing fails.
    """
    got = Talk()
    data = bytearray()
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    came = asyncio.Event()
    with socket.socket() as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(sock, ("127.0.0.1", port))

        async def write() -> None:
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    await loop.sock_sendall(sock, piece)
                    await asyncio.sleep(0)
                if after:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(came.wait(), SILENCE)
                for piece in after:
                    await loop.sock_sendall(sock, piece)

        writing = asyncio.create_task(write())
        try:
            async with asyncio.timeout(deadline):
                while part := await loop.sock_recv(sock, 65_536):
                    data += part
                    came.set()
                got.closed = True
        except TimeoutError:
            pass
        except ConnectionError:
            got.closed = got.reset = True
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
    got.data = bytes(data)
    got.seconds = time.monotonic() - began
    return got


def read_responses(data: bytes, methods: Sequence[bytes] = ()) -> list[Response]:
    """Every answer in ``data``; 1xx are left out. Raises NotHttpError.

    ``methods`` of the requests in order: an answer to HEAD has no body.
    """
    found: list[Response] = []
    while data:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            raise NotHttpError(f"an answer's head does not end: {data[:200]!r}")
        response = _read_head(head)
        if 100 <= response.status < 200:
            data = rest
            continue
        method = methods[len(found)] if len(found) < len(methods) else b"GET"
        bodiless = method == b"HEAD" or response.status in (204, 304)
        data = rest if bodiless else _read_body(response, rest)
        found.append(response)
    return found


def _read_head(head: bytes) -> Response:
    first, *lines = head.split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise NotHttpError(f"not a status line: {first[:200]!r}")
    headers = []
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None:
            raise NotHttpError(f"not a header: {line[:200]!r}")
        headers.append((match[1].lower(), match[2]))
    return Response(status=int(status[1]), headers=headers)


def _read_body(response: Response, rest: bytes) -> bytes:
    """Fills the body; what follows it comes back."""
    length = response.header("content-length")
    coding = response.header("transfer-encoding")
    if coding is not None and length is not None:
        raise NotHttpError("an answer has both a length and a transfer coding")
    if coding is not None:
        return _read_chunks(response, rest)
    if length is None:
        response.body = rest
        return b""
    response.body = rest[: int(length)]
    response.whole = len(response.body) == int(length)
    return rest[int(length) :]


def _read_chunks(response: Response, rest: bytes) -> bytes:
    at = 0
    parts = []
    try:
        while True:
            end = rest.find(b"\r\n", at)
            if end < 0:
                response.whole = False
                return b""
            line = rest[at:end]
            if not re.fullmatch(rb"[0-9a-fA-F]+", line):
                raise NotHttpError(f"not a chunk size: {line[:50]!r}")
            size, at = int(line, 16), end + 2
            parts.append(rest[at : at + size])
            at += size + 2
            if len(rest) < at:
                response.whole = False
                return b""
            if rest[at - 2 : at] != b"\r\n":
                raise NotHttpError("a chunk is longer than its size")
            if size == 0:
                return rest[at:]
    finally:
        response.body = b"".join(parts)
