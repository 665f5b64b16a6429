"""The traffic process against a server that answers, refuses, breaks off and stalls."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter

import pytest
from aiohttp import web

from slipway_cli.demo.ledger import read_ledger
from slipway_cli.demo.traffic import parse

DEADLINE = 60.0


class Server:
    """Every fifth answer fails in a way of its own."""

    def __init__(self):
        self.seen = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def answer(self, request):
        body = await request.json()
        number = len(self.seen)
        self.seen.append((request.headers, body, request.path))
        await self.hold.wait()
        headers = {"x-request-id": request.headers["x-request-id"], "x-slipway-version": "v1"}
        if number % 5 == 4 and number % 2:
            request.transport.abort()
            return web.Response()
        if number % 5 == 4:
            return web.json_response({"error": {"message": "no"}}, status=503, headers=headers)
        chat = request.path.endswith("chat/completions")
        if not body["stream"]:
            choice = {"message": {"content": "word"}} if chat else {"text": "word"}
            return web.json_response({"choices": [choice]}, headers=headers)
        response = web.StreamResponse(headers=headers | {"content-type": "text/event-stream"})
        await response.prepare(request)
        piece = {"delta": {"content": "word"}} if chat else {"text": "word"}
        event = f"data: {json.dumps({'choices': [piece]})}\n\n".encode()
        for part in (event[:9], event[9:], b"data: [DONE]\n\n"):
            await response.write(part)
            await asyncio.sleep(0)
        return response


@pytest.fixture
async def server():
    server = Server()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.answer)
    app.router.add_post("/v1/completions", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


async def traffic(server, ledger, *more):
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "slipway_cli.demo.traffic", "--url", server.url),
        *("--ledger", str(ledger), "--rate", "40", *more),
    )


async def until(reached):
    async with asyncio.timeout(DEADLINE):
        while not reached():
            await asyncio.sleep(0.05)


async def test_every_request_is_booked_once_and_as_it_went(server, tmp_path):
    ledger = tmp_path / "ledger.jsonl"
    process = await traffic(server, ledger)
    await until(lambda: len(server.seen) >= 100)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), DEADLINE) == 0
    entries = read_ledger(ledger)
    assert len(entries) == len(server.seen)
    by_id = {entry.request_id: entry for entry in entries}
    assert set(by_id) == {headers["x-request-id"] for headers, _, _ in server.seen}
    for number, (headers, body, path) in enumerate(server.seen):
        entry = by_id[headers["x-request-id"]]
        assert entry.conversation == headers["x-conversation-id"]
        assert entry.stream is body["stream"]
        assert body["model"] == "jargon"
        assert ("messages" in body) == path.endswith("chat/completions")
        assert entry.sent <= entry.ended
        assert entry.ok == (number % 5 != 4)
        assert bool(entry.why) != entry.ok
        if entry.ok:
            assert (entry.status, entry.version) == (200, "v1")
            assert entry.sent <= entry.first_byte <= entry.ended
    failed = Counter(entry.status for entry in entries if not entry.ok)
    assert set(failed) == {503, None}
    assert 0.2 < sum(entry.stream for entry in entries) / len(entries) < 0.8
    assert {entry.kind for entry in entries} == {"short", "medium", "long"}


async def test_it_does_not_wait_for_answers_and_ends_by_itself(server, tmp_path):
    server.hold.clear()
    ledger = tmp_path / "ledger.jsonl"
    process = await traffic(server, ledger, "--max-seconds", "1.0")
    await until(lambda: len(server.seen) >= 20)
    assert not read_ledger(ledger)
    server.hold.set()
    assert await asyncio.wait_for(process.wait(), DEADLINE) == 0
    assert len(read_ledger(ledger)) == len(server.seen)


async def test_nobody_listens(tmp_path):
    ledger = tmp_path / "deep" / "ledger.jsonl"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "slipway_cli.demo.traffic", "--url", "http://127.0.0.1:9"),
        *("--ledger", str(ledger), "--rate", "20", "--max-seconds", "0.5"),
    )
    assert await asyncio.wait_for(process.wait(), DEADLINE) == 0
    entries = read_ledger(ledger)
    assert entries
    assert all(entry.status is None and "Connect" in entry.why for entry in entries)


def test_wrong_input_is_told(capsys):
    with pytest.raises(SystemExit) as ended:
        parse(["--url", "http://x", "--ledger", "y", "--rate", "0"])
    assert ended.value.code == 2
    assert "--rate must be above 0" in capsys.readouterr().err
