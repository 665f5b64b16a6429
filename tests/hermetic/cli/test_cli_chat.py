"""``slipway chat`` against a gateway that misbehaves in every way that a gateway can."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from slipway_cli.errors import CliError, InvalidInput, NotFound, NotRunning
from slipway_cli.gateway import Answer, Ask, stream_chat
from slipway_contracts.names import HEADER_CONVERSATION, HEADER_REQUEST_ID, HEADER_VERSION

ASK = Ask(model="m", messages=[{"role": "user", "content": "hi"}], conversation="c1", key="slw_k")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers: list[TestServer] = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", handler)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        return str(server.make_url("")).rstrip("/")

    yield start
    for server in servers:
        await server.close()


def delta(text: str | None = None, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def streaming(*pieces: bytes, headers: dict[str, str] | None = None) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream"} | (headers or {})
        )
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(0)
        return response

    return handler


async def ask(url: str, answer: Answer | None = None) -> str:
    return "".join([piece async for piece in stream_chat(url, ASK, answer or Answer())])


async def test_text_version_and_request_id(serve: Serve) -> None:
    seen: dict[str, object] = {}
    inner = streaming(
        b": a comment\n\n",
        delta("Hel"),
        delta("lo é"),
        delta(finish="length"),
        b"data: [DONE]\n\n",
        headers={HEADER_VERSION: "v2", HEADER_REQUEST_ID: "r1"},
    )

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.update(await request.json())
        seen["headers"] = request.headers
        return await inner(request)

    answer = Answer()
    assert await ask(await serve(handler), answer) == "Hello é"
    assert (answer.version, answer.request_id, answer.finish_reason) == ("v2", "r1", "length")
    assert seen["stream"] is True
    assert seen["model"] == "m"
    headers = seen["headers"]
    assert headers[HEADER_CONVERSATION] == "c1"  # type: ignore[index]
    assert headers["Authorization"] == "Bearer slw_k"  # type: ignore[index]


async def test_lines_split_anywhere(serve: Serve) -> None:
    whole = delta("a") + delta("b") + b"data: [DONE]\n\n"
    pieces = [whole[i : i + 1] for i in range(len(whole))]
    assert await ask(await serve(streaming(*pieces))) == "ab"


@pytest.mark.parametrize(
    ("status", "error", "fix"),
    [
        (401, InvalidInput, "slipway keys create"),
        (403, InvalidInput, "SLIPWAY_API_KEY"),
        (404, NotFound, "slipway get models"),
        (400, InvalidInput, "refused the request"),
        (503, CliError, "answered 503"),
    ],
)
async def test_refusals(serve: Serve, status: int, error: type[CliError], fix: str) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": "because"}}, status=status)

    with pytest.raises(error) as caught:
        await ask(await serve(handler))
    assert "because" in str(caught.value)
    assert fix in str(caught.value)


@pytest.mark.parametrize("body", ["<html>", "", "[]", '{"error": "plain"}'])
async def test_a_refusal_that_is_no_openai_error(serve: Serve, body: str) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=502, text=body, headers={HEADER_REQUEST_ID: "r7"})

    with pytest.raises(CliError, match=r"answered 502: .*\(request r7\)"):
        await ask(await serve(handler))


async def test_an_error_inside_the_stream(serve: Serve) -> None:
    broken = b'data: {"error": {"message": "engine died"}}\n\n'
    with pytest.raises(CliError, match="engine died"):
        await ask(await serve(streaming(delta("a"), broken)))


async def test_an_event_that_is_not_json(serve: Serve) -> None:
    with pytest.raises(CliError, match="not JSON"):
        await ask(await serve(streaming(b"data: {\n\n")))


async def test_a_connection_that_breaks(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(delta("a"))
        assert request.transport is not None
        request.transport.abort()
        return response

    with pytest.raises(CliError, match="broke off"):
        await ask(await serve(handler))


async def test_no_gateway() -> None:
    with pytest.raises(NotRunning, match="slipway up"):
        await ask("http://127.0.0.1:9")
