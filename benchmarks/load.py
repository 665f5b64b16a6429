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
    """One burst. ``failed`` answers make the burst worthless."""

    requests: int
    failed: int
    seconds: float


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
    failures = await asyncio.gather(
        *(_client(port, messages, left, expect) for _ in range(connections))
    )
    return Result(requests=count, failed=sum(failures), seconds=time.perf_counter() - began)


async def _client(port: int, messages: list[bytes], left: Iterator[int], expect: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    failed = 0
    for number in left:
        try:
            writer.write(messages[number % len(messages)])
            failed += not await answered(reader, expect)
        except (OSError, EOFError):
            failed += 1
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    return failed


async def answered(reader: asyncio.StreamReader, expect: bytes) -> bool:
    """Whether the next answer is 200 and holds that."""
    head, body = await read_answer(reader)
    return head.startswith(b"HTTP/1.1 200") and expect in body


async def read_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of the next answer; a chunked body with its framing."""
    head = await reader.readuntil(b"\r\n\r\n")
    lowered = head.lower()
    if b"transfer-encoding: chunked" in lowered:
        return head, await _chunked(reader)
    length = lowered.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]
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
