"""A scripted engine over a raw socket: what it answers is a list of bytes, pauses and ends.

A prompt ``fault:NAME:ID`` plays the script of that name; any other prompt is echoed by a proper
answer, so that an answer which reached the wrong request shows. Scripts are data (fault_table.py).
Connections are kept alive after scripts that end without a ``Close`` or ``Reset``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds of silence."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drip:
    """``data`` one byte at a time."""

    data: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class Flood:
    """``block`` over and over, as fast as it is taken."""

    block: bytes
    times: int


@dataclass(frozen=True, slots=True)
class Pieces:
    """``data`` in pieces of ``size`` bytes, each a write of its own."""

    data: bytes
    size: int = 1


class Close:
    """FIN."""


class Reset:
    """RST."""


class Hang:
    """Neither a byte nor an end, until the other side goes."""


class HalfClose:
    """FIN from here, and reading on for ever."""


Step = bytes | Pause | Drip | Flood | Pieces | Close | Reset | Hang | HalfClose
Script = tuple[Step, ...]
# A script may depend on the prompt.
Scripts = Mapping[str, Script | Callable[[str], Script]]


class FaultServer:
    """``async with FaultServer(scripts) as server: server.url``. ``seen``: prompts that came."""

    def __init__(self, scripts: Scripts | None = None) -> None:
        self.scripts = dict(scripts or {})
        self.seen: Counter[str] = Counter()
        self.url = ""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> FaultServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Aborted transports close their sockets on the loop's next turn.
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            # Cancelled at the end; the streams' own callback would complain of it.
            ends = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
            with contextlib.suppress(*ends):
                while await self._one(reader, writer):
                    pass
        finally:
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection goes on."""
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [
            int(line.partition(b":")[2])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        ]
        # As deep as the gateway reads.
        fields = orjson.loads(await reader.readexactly(lengths[0] if lengths else 0))
        prompt = prompt_of(fields)
        self.seen[prompt] += 1
        kind, _, rest = prompt.partition(":")
        name = rest.partition(":")[0]
        if kind != "fault":
            writer.write(echo(prompt, stream=bool(fields.get("stream"))))
            await writer.drain()
            return True
        script = self.scripts[name]
        for step in script if isinstance(script, tuple) else script(prompt):
            if not await _play(step, reader, writer):
                return False
        return True


async def _play(step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    match step:
        case bytes():
            writer.write(step)
        case Pause():
            await asyncio.sleep(step.seconds)
        case Drip():
            for index in range(len(step.data)):
                writer.write(step.data[index : index + 1])
                await asyncio.sleep(step.seconds)
        case Pieces():
            for start in range(0, len(step.data), step.size):
                writer.write(step.data[start : start + step.size])
                await writer.drain()
                await asyncio.sleep(0)
        case Flood():
            for _ in range(step.times):
                writer.write(step.block)
                await writer.drain()
        case Close():
            await writer.drain()
            writer.close()
            return False
        case Reset():
            await writer.drain()
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return False
        case HalfClose():
            writer.write_eof()
            await reader.read()
            return False
        case Hang():
            await reader.read()
            return False
    await writer.drain()
    return True


def prompt_of(fields: dict[str, Any]) -> str:
    """The last message's text, or the completion's first prompt; empty where there is none."""
    if isinstance(messages := fields.get("messages"), list) and messages:
        last = messages[-1]
        return str(last.get("content", "")) if isinstance(last, dict) else ""
    prompt = fields.get("prompt", "")
    return str(prompt[0] if isinstance(prompt, list) and prompt else prompt)


def whole(text: str, **more: Any) -> bytes:
    """A chat's body."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "text": text}
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    body = {
        "id": "c-1",
        "object": "chat.completion",
        "model": "echo",
        "choices": [choice | {"finish_reason": "stop"}],
        "usage": usage,
    }
    return json.dumps(body | more).encode()


def piece(text: str, reason: str | None = None, **more: Any) -> dict[str, Any]:
    """One chunk of a stream."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
    return {"id": "c-1", "object": "chat.completion.chunk", "choices": [choice], **more}


def event(body: Any) -> bytes:
    """As an engine writes it."""
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def events(text: str) -> bytes:
    """A whole stream."""
    return event(piece(text[:3])) + event(piece(text[3:])) + event(piece("", "stop")) + DONE


def http(body: bytes, *lines: str, status: str = "200 OK", kind: str = "application/json") -> bytes:
    """An answer with a length."""
    given = (f"HTTP/1.1 {status}", f"content-type: {kind}", f"content-length: {len(body)}", *lines)
    return "\r\n".join((*given, "", "")).encode() + body


def stream_head(*lines: str, status: str = "200 OK") -> bytes:
    """The head of a stream in chunks."""
    given = (f"HTTP/1.1 {status}", "content-type: text/event-stream", "transfer-encoding: chunked")
    return "\r\n".join((*given, *lines, "", "")).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


END = b"0\r\n\r\n"


def echo(prompt: str, *, stream: bool) -> bytes:
    """The proper answer: the prompt again."""
    if stream:
        return stream_head() + chunk(events(prompt)) + END
    return http(whole(prompt))
