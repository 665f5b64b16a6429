"""An OpenAI-compatible engine that computes nothing: for hermetic tests and the benchmark.

Behaviour comes from ``EngineScript`` (process: command line or ``POST /control``) and, for one
request, from words in the prompt: ``!error500``, ``!text500``, ``!error400``, ``!badjson``,
``!nochoices``, ``!empty``, ``!length``, ``!hang``, ``!stay``, ``!die``, ``!die-mid-event``,
``!no-end``, ``!paced``, ``!in-band-error``, ``!tool`` (a call of the request's first function). It
remembers what it was sent (``GET /calls``) and which requests its clients left (``GET /aborted``),
so that a test can see what reached it.

In process: ``async with FakeEngine(EngineScript()) as engine: engine.url``.
As a process: ``python tests/support/fake_engine.py --port 0 --chunks 100`` prints its address.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import struct
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from aiohttp import web

CONTEXT_MESSAGE = (
    "This model's maximum context length is {limit} tokens. However, you requested {asked} tokens."
)


@dataclass
class EngineScript:
    """Seconds and counts. ``status`` other than 200: every request fails with it.

    ``slots``: so many requests are worked on at once, the others wait, and a whole answer takes as
    long as a stream; 0: all, and a whole answer takes no longer than its first byte.
    """

    model: str = "demo"
    name: str = "engine"
    context_limit: int | None = None
    first_byte_delay: float = 0.0
    slots: int = 0
    chunk_delay: float = 0.0
    chunks: int = 5
    word: str = "word"
    status: int = 200
    hang: bool = False
    die_after: int | None = None
    answer_bytes: int = 0


@dataclass
class Calls:
    """What the engine saw."""

    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    open: int = 0


class FakeEngine:
    """One engine on 127.0.0.1. ``remember`` false: for benchmarks."""

    def __init__(
        self, script: EngineScript | None = None, *, port: int = 0, remember: bool = True
    ) -> None:
        self.script = script or EngineScript()
        self.calls = Calls()
        self._slots = asyncio.Semaphore(self.script.slots or 2**30)
        self._port = port
        self._remember = remember
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> FakeEngine:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/completions", self._completions)
        app.router.add_post("/v1/embeddings", self._embeddings)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/health", self._health)
        app.router.add_post("/control", self._control)
        app.router.add_get("/calls", self._calls)
        app.router.add_get("/aborted", self._aborted)
        self._runner = web.AppRunner(
            app,
            handler_cancellation=True,
            access_log=None,
            shutdown_timeout=0.1,
            keepalive_timeout=86_400,  # what quick_engine uses looks idle
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def protocol(self) -> asyncio.Protocol:
        """For one connection that somebody else has accepted."""
        assert self._runner is not None and self._runner.server is not None
        return self._runner.server()

    # -- routes

    async def _models(self, _: web.Request) -> web.Response:
        card = {"id": self.script.model, "object": "model", "owned_by": self.script.name}
        return web.json_response({"object": "list", "data": [card]})

    async def _embeddings(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.calls.bodies.append(body)
        fields = json.loads(body)
        given = fields["input"]
        texts = given if isinstance(given, list) and isinstance(given[0], str) else [str(given)]
        vectors = [_vector(text, fields) for text in texts]
        data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]
        asked = sum(len(text.split()) for text in texts)
        usage = {"prompt_tokens": asked, "total_tokens": asked}
        answer = {"object": "list", "model": fields.get("model"), "data": data, "usage": usage}
        return web.json_response(answer)

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _control(self, request: web.Request) -> web.Response:
        self.script = replace(self.script, **await request.json())
        return web.json_response(asdict(self.script))

    async def _calls(self, _: web.Request) -> web.Response:
        return web.json_response([body.decode() for body in self.calls.bodies])

    async def _aborted(self, _: web.Request) -> web.Response:
        return web.json_response(self.calls.aborted)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._handle(request, chat=True)

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        return await self._handle(request, chat=False)

    async def _handle(self, request: web.Request, *, chat: bool) -> web.StreamResponse:
        body = await request.read()
        if self._remember:
            self.calls.bodies.append(body)
            self.calls.headers.append(dict(request.headers))
        self.calls.open += 1
        try:
            return await self._answer(request, json.loads(body), chat=chat)
        except (asyncio.CancelledError, ConnectionError):
            self.calls.aborted.append(request.headers.get("x-request-id", ""))
            raise
        finally:
            self.calls.open -= 1

    async def _answer(
        self, request: web.Request, fields: dict[str, Any], *, chat: bool
    ) -> web.StreamResponse:
        prompt = _prompt_of(fields, chat=chat)
        if self.script.hang or "!hang" in prompt:
            await asyncio.sleep(3600)
        async with self._slots:
            return await self._work(request, fields, prompt, chat=chat)

    async def _work(
        self, request: web.Request, fields: dict[str, Any], prompt: str, *, chat: bool
    ) -> web.StreamResponse:
        if self.script.first_byte_delay:
            await asyncio.sleep(self.script.first_byte_delay)
        if (refusal := self._refusal(prompt)) is not None:
            return refusal
        if fields.get("stream"):
            return await self._stream(request, fields, prompt, chat=chat)
        if "!die" in prompt:
            assert request.transport is not None
            request.transport.abort()
            raise ConnectionResetError("the script says die")
        if self.script.slots:
            words, _ = self._words(fields, prompt)
            await asyncio.sleep(self.script.chunk_delay * len(words))
        return self._whole(fields, prompt, chat=chat)

    def _refusal(self, prompt: str) -> web.Response | None:
        script = self.script
        if script.context_limit is not None and len(prompt.split()) > script.context_limit:
            message = CONTEXT_MESSAGE.format(limit=script.context_limit, asked=len(prompt.split()))
            return _error(400, message)
        if "!error400" in prompt:
            return _error(400, "temperature must be between 0 and 2")
        if "!error500" in prompt or script.status >= 500:
            return _error(script.status if script.status >= 500 else 500, "the engine is broken")
        if "!text500" in prompt:
            return web.Response(status=500, text="Internal Server Error")
        if script.status != 200:
            return _error(script.status, "the script says so")
        if "!nochoices" in prompt:
            return web.json_response({"id": "cmpl-1", "object": "text_completion"})
        if "!badjson" in prompt:
            return web.Response(body=b'{"choices": [', content_type="application/json")
        return None

    def _words(self, fields: dict[str, Any], prompt: str) -> tuple[list[str], str]:
        if "!empty" in prompt:
            return [], "stop"
        if (fields.get("response_format") or {}).get("type") in ("json_object", "json_schema"):
            return ['{"answer":', f'"{self.script.word}"' + "}"], "stop"
        if "!length" in prompt:
            return [self.script.word] * self.script.chunks, "length"
        limit = fields.get("max_tokens") or fields.get("max_completion_tokens")
        count = self.script.chunks if limit is None else min(self.script.chunks, limit)
        return [self.script.word] * count, "stop" if count == self.script.chunks else "length"

    def _whole(self, fields: dict[str, Any], prompt: str, *, chat: bool) -> web.Response:
        words, reason = self._words(fields, prompt)
        text = " ".join(words) + "x" * self.script.answer_bytes
        if "!tool" in prompt:
            return web.json_response(_whole_call(fields, prompt))
        prompts = fields.get("prompt")
        texts = [text] * len(prompts) if isinstance(prompts, list) else [text]
        choices = [_choice(i, t, reason, chat=chat) for i, t in enumerate(texts)]
        return web.json_response(
            {
                "id": "cmpl-1",
                "object": "chat.completion" if chat else "text_completion",
                "created": 1,
                "model": fields.get("model", self.script.model),
                "system_fingerprint": self.script.name,
                "choices": choices,
                "usage": _usage(prompt, words),
            }
        )

    async def _stream(
        self, request: web.Request, fields: dict[str, Any], prompt: str, *, chat: bool
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        words, reason = self._words(fields, prompt)
        die_after = 2 if "!die" in prompt else self.script.die_after
        delay = 0.001 if "!paced" in prompt else self.script.chunk_delay
        rendered = {w: event(_chunk(fields, w + " ", None, chat=chat)) for w in set(words)}
        pieces = [rendered[word] for word in words]
        if "!tool" in prompt:
            pieces, reason = _call_pieces(fields), "tool_calls"
        elif chat and words:
            pieces[0] = event(_opened(_chunk(fields, words[0] + " ", None, chat=True)))
        for index, piece in enumerate(pieces):
            if die_after is not None and index >= die_after:
                if "!die-mid-event" in prompt:
                    await response.write(b'data: {"choices": [{"del')
                    await asyncio.sleep(0.05)
                assert request.transport is not None
                request.transport.abort()
                raise ConnectionResetError("the script says die")
            await response.write(piece)
            if "!stay" in prompt:
                await asyncio.sleep(3600)
            if delay:
                await asyncio.sleep(delay)
        if "!in-band-error" in prompt:
            await response.write(event({"error": {"message": "engine died", "code": 500}}))
        elif "!no-end" not in prompt:
            last = _chunk(fields, "", reason, chat=chat)
            if (fields.get("stream_options") or {}).get("include_usage"):
                last["usage"] = _usage(prompt, words)
            await response.write(event(last))
            await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response


def event(body: dict[str, Any]) -> bytes:
    """One server-sent event as engines write it."""
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def _prompt_of(fields: dict[str, Any], *, chat: bool) -> str:
    if chat:
        return " ".join(str(message.get("content")) for message in fields["messages"])
    prompt = fields["prompt"]
    return " ".join(prompt) if isinstance(prompt, list) else prompt


def _vector(text: str, fields: dict[str, Any]) -> list[float] | str:
    """Four numbers that depend on the text, in the encoding that was asked for."""
    digest = hashlib.blake2b(text.encode(), digest_size=4).digest()
    numbers = [byte / 256 for byte in digest]
    if fields.get("encoding_format") == "base64":
        return base64.b64encode(struct.pack("<4f", *numbers)).decode()
    return numbers


def _call(fields: dict[str, Any], arguments: str) -> dict[str, Any]:
    name = fields["tools"][0]["function"]["name"]
    function = {"name": name, "arguments": arguments}
    return {"id": "call-1", "type": "function", "function": function}


def _whole_call(fields: dict[str, Any], prompt: str) -> dict[str, Any]:
    calls = [_call(fields, '{"city": "Kazan"}')]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return {
        "id": "cmpl-1", "object": "chat.completion", "created": 1, "model": fields.get("model"),
        "choices": [choice], "usage": _usage(prompt, ["call"]),
    }  # fmt: skip


def _call_pieces(fields: dict[str, Any]) -> list[bytes]:
    """The call as a stream cuts it: its name first, then its arguments."""
    parts = ('{"city":', ' "Kazan"}')
    deltas = [{"index": 0, "function": {"arguments": part}} for part in parts]
    deltas.insert(0, {"index": 0, **_call(fields, "")})
    chunks = []
    for delta in deltas:
        chunk = _chunk(fields, "", None, chat=True)
        chunk["choices"][0]["delta"] = {"tool_calls": [delta]}
        chunks.append(event(chunk if chunks else _opened(chunk)))
    return chunks


def _opened(chunk: dict[str, Any]) -> dict[str, Any]:
    """A chat's first chunk says who speaks; OpenAI's Node client insists on it."""
    chunk["choices"][0]["delta"]["role"] = "assistant"
    return chunk


def _choice(index: int, text: str, reason: str, *, chat: bool) -> dict[str, Any]:
    part = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
    return {"index": index, **part, "finish_reason": reason}


def _chunk(fields: dict[str, Any], text: str, reason: str | None, *, chat: bool) -> dict[str, Any]:
    part = {"delta": {"content": text}} if chat else {"text": text}
    return {
        "id": "cmpl-1",
        "object": "chat.completion.chunk" if chat else "text_completion",
        "created": 1,
        "model": fields.get("model"),
        "choices": [{"index": 0, **part, "finish_reason": reason}],
    }


def _usage(prompt: str, words: list[str]) -> dict[str, int]:
    asked = len(prompt.split())
    return {
        "prompt_tokens": asked,
        "completion_tokens": len(words),
        "total_tokens": asked + len(words),
    }


def _error(status: int, message: str) -> web.Response:
    kind = "BadRequestError" if status < 500 else "InternalServerError"
    body = {"error": {"message": message, "type": kind, "param": None, "code": status}}
    return web.json_response(body, status=status)


async def _serve(script: EngineScript, port: int) -> None:
    async with FakeEngine(script, port=port, remember=False) as engine:
        print(engine.url, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    for name, kind in (
        ("chunks", int),
        ("answer-bytes", int),
        ("context-limit", int),
        ("slots", int),
    ):
        parser.add_argument(f"--{name}", type=kind)
    for name in ("first-byte-delay", "chunk-delay"):
        parser.add_argument(f"--{name}", type=float)
    parser.add_argument("--model")
    parser.add_argument("--name")
    given = vars(parser.parse_args())
    port = given.pop("port")
    script = EngineScript(**{name: value for name, value in given.items() if value is not None})
    try:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:
        runner = asyncio.Runner()
    with runner:
        runner.run(_serve(script, port))


if __name__ == "__main__":
    main()
