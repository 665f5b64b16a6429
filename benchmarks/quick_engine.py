"""The fake engine behind a front that answers whole requests with bytes from memory.

Relays are compared by what a request costs them when there are many. An engine in aiohttp costs
more than any of them and would leave them waiting. A whole chat is therefore answered as the engine
itself answers one, without asking it; streams and everything else are the engine's own work.

As a process: ``python benchmarks/quick_engine.py --port 8000 --chunks 100 --answer-bytes 500``.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from fake_engine import EngineScript, FakeEngine

_PATH = "/v1/chat/completions"
_ASKED = f"POST {_PATH} ".encode()
_HEAD = (
    "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
    "Content-Length: {size}\r\nDate: {date}\r\nServer: engine\r\n\r\n"
)


class Prepared:
    """One answer, with the date of now."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._second = 0
        self._whole = b""

    def now(self) -> bytes:
        """Head and body."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            head = _HEAD.format(size=len(self._body), date=formatdate(second, usegmt=True))
            self._whole = head.encode() + self._body
        return self._whole


class Front(asyncio.Protocol):
    """A connection; ``inner`` is the engine's own protocol for it."""

    def __init__(self, inner: asyncio.Protocol, prepared: Prepared) -> None:
        self._inner = inner
        self._prepared = prepared
        self._transport: Any = None
        # A chat whose body has not come yet: some send it apart from its head.
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def data_received(self, data: bytes) -> None:
        data = self._held + data
        self._held = b""
        if not data.startswith(_ASKED):
            self._inner.data_received(data)
        elif not _is_whole(data):
            self._held = data
        elif b'"stream":true' in data.replace(b" ", b""):
            self._inner.data_received(data)
        else:
            self._transport.write(self._prepared.now())

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()


def _is_whole(data: bytes) -> bool:
    """Whether all of a request's body is there."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    _, _, length = head.lower().partition(b"\r\ncontent-length:")
    if not length:
        return body.endswith(b"0\r\n\r\n")
    return len(body) >= int(length.partition(b"\r")[0])


async def _serve(script: EngineScript, port: int) -> None:
    async with FakeEngine(script, remember=False) as engine:
        asked = {"model": script.model, "messages": [{"role": "user", "content": "hello"}]}
        async with (
            aiohttp.ClientSession() as session,
            session.post(engine.url + _PATH, json=asked) as answer,
        ):
            prepared = Prepared(await answer.read())
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Front(engine.protocol(), prepared), "127.0.0.1", port
        )
        await server.serve_forever()


def main() -> None:
    """Until it is killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--chunks", type=int, default=100)
    parser.add_argument("--answer-bytes", type=int, default=500)
    given = parser.parse_args()
    script = EngineScript(chunks=given.chunks, answer_bytes=given.answer_bytes)
    uvloop.run(_serve(script, given.port))


if __name__ == "__main__":
    main()
