"""A closed-loop HTTP client that costs little: raw asyncio, kept-alive connections.

Counts every answer that is not 200 or does not hold what it should: a relay that drops work would
otherwise look fast.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One burst. ``failed`` answers make it worthless; ``wrong`` is what was wrong with one."""

    requests: int
    failed: int
    seconds: float
    wrong: str = ""


def request(body: bytes, headers: dict[str, str]) -> bytes:
    """An HTTP/1.1 chat request."""
    lines = ["POST /v1/chat/completions HTTP/1.1", "host: bench", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([*lines, f"content-length: {len(body)}", "", ""])
    return head.encode() + body


async def burst(
    port: int, messages: list[bytes], *, count: int, connections: int, expect: bytes
) -> Result:
    """``count`` requests over ``connections``; each answer must hold ``expect``."""
    left = iter(range(count))
    began = time.perf_counter()
    wrong = await asyncio.gather(
        *(_client(port, messages, left, expect) for _ in range(connections))
    )
    failed = [one for found in wrong for one in found]
    return Result(
        requests=count,
        failed=len(failed),
        seconds=time.perf_counter() - began,
        wrong=failed[0] if failed else "",
    )


async def _client(
    port: int, messages: list[bytes], left: Iterator[int], expect: bytes
) -> list[str]:
    """What was wrong."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    wrong = []
    for number in left:
        try:
            writer.write(messages[number % len(messages)])
            head, body = await read_answer(reader)
            if not _right(head, body, expect):
                wrong.append(f"{head.splitlines()[0]!r} {body[:200]!r} … {body[-100:]!r}")
        except (OSError, EOFError) as error:
            wrong.append(repr(error))
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    return wrong


async def answered(reader: asyncio.StreamReader, expect: bytes) -> bool:
    """Whether the next answer is 200 and holds that."""
    return _right(*await read_answer(reader), expect)


def _right(head: bytes, body: bytes, expect: bytes) -> bool:
    if not head.startswith(b"HTTP/1.1 200"):
        return False
    # Its framing may cut what is expected: then it is taken off, which costs more.
    return expect in body or (chunked(head) and expect in unframed(body))


def chunked(head: bytes) -> bool:
    """Whether the body is in chunks."""
    return b"transfer-encoding: chunked" in head.lower()


def unframed(body: bytes) -> bytes:
    """Without the sizes of chunks."""
    out, at = bytearray(), 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end], 16)
        if not size:
            return bytes(out)
        out += body[end + 2 : end + 2 + size]
        at = end + 2 + size + 2


async def read_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of the next answer; a chunked body with its framing."""
    head = await reader.readuntil(b"\r\n\r\n")
    if chunked(head):
        return head, await _chunked(reader)
    length = head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]
    return head, await reader.readexactly(int(length))


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    """The body with its chunk framing: taking that apart would make the client the bottleneck."""
    body = b""
    while not body.endswith(b"0\r\n\r\n"):
        part = await reader.read(65_536)
        if not part:
            raise ConnectionError("the answer broke off")
        body += part
    return body
