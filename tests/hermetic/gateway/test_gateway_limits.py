"""Hostile and slow clients, slow and silent engines: everything is bounded."""

from __future__ import annotations

import asyncio
import json
import socket

import psutil
import pytest
from gateway_process import GatewayProcess, eventually
from postgres_server import in_thread

from slipway_store import files

LIMITS = {
    "body_limit": 4096,
    "header_limit": 4096,
    "header_timeout": 1,
    "body_timeout": 1,
    "first_byte_timeout": 1,
    "idle_timeout": 1,
    "client_timeout": 1,
}


@pytest.fixture(scope="session")
def shared(postgres, tmp_path_factory):
    """As the shared gateway of the other tests, with small limits."""
    name = postgres.create()
    dsn = postgres.dsn(name)
    folder = tmp_path_factory.mktemp("limits")
    process = GatewayProcess(dsn, folder, slot="limits", **LIMITS).spawn()
    in_thread(lambda: asyncio.run(process.ready()))
    yield process, dsn
    in_thread(lambda: asyncio.run(process.stop()))
    postgres.drop(name)


async def raw(demo, *parts, wait=0.0):
    """Send pieces over a socket of our own; everything that came until the gateway closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", demo.gateway.port)
    got = b""

    async def send():
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(wait)

    sending = asyncio.create_task(send())
    try:
        async with asyncio.timeout(30):
            while part := await reader.read(65_536):
                got += part
    except ConnectionError:
        pass
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.transport.abort()
    return got


def request(line, *headers, body=b""):
    head = [line, "host: x", *headers]
    if body:
        head.append(f"content-length: {len(body)}")
    return "\r\n".join([*head, "connection: close", "", ""]).encode() + body


CHAT = "POST /v1/chat/completions HTTP/1.1"


async def test_a_head_that_is_too_large(demo):
    many = request("GET /health HTTP/1.1", *(f"x-{n}: {'y' * 50}" for n in range(80)))
    assert b" 431 " in await raw(demo, many)
    endless = b"GET /health HTTP/1.1\r\nx: " + b"y" * 5000
    assert b" 431 " in await raw(demo, endless)
    url = request(f"GET /{'u' * 5000} HTTP/1.1")
    assert b" 431 " in await raw(demo, url)
    counted = request("GET /health HTTP/1.1", *(f"x{n}: y" for n in range(101)))
    assert b" 431 " in await raw(demo, counted)
    with_body = request(CHAT, *(f"x-{n}: {'y' * 50}" for n in range(80)), body=b"{}" * 100)
    assert b" 431 " in await raw(demo, with_body)
    assert b" 200 " in await raw(demo, request("GET /health HTTP/1.1"))


async def test_a_head_that_does_not_come(demo):
    assert await raw(demo, b"GET /health HTT") == b""
    assert await raw(demo, b"") == b""


async def test_bodies_over_the_limit(demo):
    large = b"x" * 5000
    assert b" 413 " in await raw(demo, request(CHAT, body=large))
    assert b" 413 " in await raw(demo, request(CHAT, "content-length: 100000000"))
    chunked = request(CHAT, "transfer-encoding: chunked") + b"1388\r\n" + large + b"\r\n0\r\n\r\n"
    assert b" 413 " in await raw(demo, chunked)
    cold = "POST /v1/feedback HTTP/1.1"
    assert b" 413 " in await raw(demo, request(cold, body=large))
    chunked = request(cold, "transfer-encoding: chunked") + b"1388\r\n" + large + b"\r\n0\r\n\r\n"
    assert b" 413 " in await raw(demo, chunked)
    fits = demo.chat("y" * 3000)
    assert b" 404 " in await raw(demo, request(CHAT, body=fits))


async def test_a_body_that_drips_or_lies_about_its_length(demo):
    head = request(CHAT, "content-length: 100")
    drip = await raw(demo, head, *([b" "] * 15), wait=0.1)
    assert b" 408 " in drip
    assert json.loads(drip.partition(b"\r\n\r\n")[2])["error"]["code"] == "request_timeout"
    assert b" 408 " in await raw(demo, head)
    assert b" 400 " in await raw(demo, request(CHAT, "content-length: -1"))
    twice = request(CHAT, "content-length: 2", "content-length: 3") + b"{}"
    assert b" 400 " in await raw(demo, twice)


@pytest.mark.parametrize(
    "line",
    ["POST /v1/feedback HTTP/1.1", "POST /api/ask HTTP/1.1", "POST /v1/files HTTP/1.1"],
    ids=["feedback", "ask", "upload"],
)
async def test_bodies_of_cold_routes_have_a_deadline_too(demo, line):
    kind = "content-type: application/json"
    if "files" in line:
        kind = "content-type: multipart/form-data; boundary=b"
    head = request(line, kind, "content-length: 100")
    for drip in (b"--b\r\ncontent-di", b""):
        # Its connection is not kept: what it sends on would be read as the rest of the body.
        head_kept = head.replace(b"connection: close\r\n", b"")
        got = await raw(demo, head_kept, *(bytes([one]) for one in drip), wait=0.1)
        status, _, body = got.partition(b"\r\n\r\n")
        assert b" 408 " in status
        assert b"\r\nconnection: close" in status.lower()
        assert json.loads(body)["error"]["code"] == "request_timeout"


async def test_a_client_that_does_not_read_a_cold_answer_is_cut(demo):
    content = b"x" * 20_000_000
    made = await files.create_file(
        demo.pool, content, file_id=files.new_file_id(), size=len(content), tenant="", filename="f",
        purpose="batch",
    )  # fmt: skip
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", demo.gateway.port))
        sock.sendall(request(f"GET /v1/files/{made.id}/content HTTP/1.1"))
        sock.setblocking(False)
        assert await asyncio.get_running_loop().sock_recv(sock, 100)
        gateway, own = psutil.Process(demo.gateway.pid), sock.getsockname()[1]

        def is_cut():
            # The kernel still holds what it took; the gateway must not.
            return own not in {one.raddr.port for one in gateway.net_connections() if one.raddr}

        assert not is_cut()
        await eventually(is_cut, what="the cut")


async def test_a_compressed_body_is_415(demo):
    assert b" 415 " in await raw(demo, request(CHAT, "content-encoding: gzip", body=b"x"))


async def test_deciding_headers_come_once(demo, v1, to):
    await demo.publish(to(v1))
    twice = ("x-conversation-id: a", "x-conversation-id: b")
    assert b" 400 " in await raw(demo, request(CHAT, *twice, body=demo.chat()))
    keys = ("authorization: Bearer a", "authorization: Bearer b")
    assert b" 400 " in await raw(demo, request(CHAT, *keys, body=demo.chat()))
    assert b" 400 " in await raw(demo, request("GET /v1/models HTTP/1.1", *keys))


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://elsewhere/v1/chat/completions", 200),
        ("/v1%2fchat%2Fcompletions", 200),
        ("//v1/chat/completions", 404),
        ("/v1/../v1/chat/completions", 404),
        ("/v1/chat/completions/", 404),
        ("/V1/chat/completions", 404),
        ("/v1/chat/completions?x=1", 200),
    ],
)
async def test_odd_targets_are_decided_on_the_dispatched_route(demo, v1, to, target, status):
    await demo.publish(to(v1))
    lines = (f"POST {target} HTTP/1.1", "x-forwarded-host: evil")
    got = await raw(demo, request(*lines, body=demo.chat()))
    assert f" {status} ".encode() in got.partition(b"\r\n")[0]


async def test_no_http_at_all(demo):
    assert b" 400 " in await raw(demo, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")


async def test_pipelined_requests_are_answered_in_order(demo, v1, to):
    await demo.publish(to(v1))
    body = demo.chat()
    head = f"{CHAT}\r\nhost: x\r\nx-request-id: %s\r\ncontent-length: {len(body)}\r\n\r\n"
    two = (head % "one").encode() + body + request(CHAT, "x-request-id: two", body=body)
    got = await raw(demo, two)
    assert got.count(b"HTTP/1.1 200") == 2
    assert got.index(b"x-request-id: one") < got.index(b"x-request-id: two")


async def test_an_engine_that_hangs_is_504(demo, v1, to):
    await demo.publish(to(v1), default=True)
    async with demo.post(demo.chat("!hang")) as answer:
        assert answer.status == 504
        assert (await answer.json())["error"]["code"] == "upstream_timeout"
    await eventually(lambda: len(v1.calls.aborted) == 1, what="the engine's abort")
    (row,) = await demo.rows(answer.headers["x-request-id"])
    assert (row["error"], row["status"]) == (True, 504)
    async with demo.post({"text": "!hang"}, "/forward") as answer:
        assert answer.status == 403
    await demo.publish(to(v1))


async def test_a_stream_that_falls_silent_ends_with_an_error_event(demo, v1, to):
    await demo.publish(to(v1))
    v1.script.chunk_delay = 30
    async with demo.post(demo.chat(stream=True)) as answer:
        events = (await answer.text()).strip().split("\n\n")
    assert "error" in json.loads(events[-1].removeprefix("data: "))
    (row,) = await demo.rows(answer.headers["x-request-id"])
    assert row["error"]
    assert row["output_text"] == "word "


async def test_a_client_that_does_not_read_is_cut(demo, v1, to):
    await demo.publish(to(v1))
    v1.script.chunks, v1.script.word = 100_000, "w" * 1000
    body = demo.chat(stream=True)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", demo.gateway.port))
        sock.sendall(request(CHAT, "x-request-id: never-reads", body=body))
        await eventually(lambda: v1.calls.aborted == ["never-reads"], what="the engine's abort")
    (row,) = await demo.rows("never-reads")
    assert (row["client_gone"], row["error"]) == (True, False)


async def test_a_slow_client_is_not_cut_and_holds_the_engine_back(demo, v1, to):
    await demo.publish(to(v1))
    v1.script.chunks, v1.script.word = 3000, "w" * 1000
    async with demo.post(demo.chat(stream=True), read_bufsize=4096) as answer:
        size, read = 0, 0
        async for part in answer.content.iter_chunked(65_536):
            size += len(part)
            read += 1
            if read % 10 == 0:
                await asyncio.sleep(0.03)
    (row,) = await demo.rows(answer.headers["x-request-id"])
    assert (row["client_gone"], row["error"]) == (False, False)
    assert size > 3_000_000
