"""Bytes in, bytes out: what the client sends reaches the engine, what the engine sends the client."""

from __future__ import annotations

import json

CHAT = {"model": "demo", "messages": [{"role": "user", "content": "hello there"}]}


async def test_a_chat_is_relayed_and_logged(start, served, engine, client, log_rows):
    gateway = await start()
    body = json.dumps(CHAT | {"future_field": [1, {"a": None}]}, indent=3).encode()
    async with client.post(gateway.url + "/v1/chat/completions", data=body) as answer:
        assert answer.status == 200
        got = await answer.json()
    assert engine.calls.bodies == [body]
    assert got["choices"][0]["message"]["content"] == "word word word word word"
    assert answer.headers["x-slipway-version"] == "v1"
    (row,) = await log_rows(answer.headers["x-request-id"])
    assert (row["version"], row["status"], row["attempt"]) == ("v1", 200, 1)
    assert (row["input_text"], row["output_text"]) == ("hello there", "word word word word word")
    assert (row["prompt_tokens"], row["completion_tokens"]) == (2, 5)
    assert (row["error"], row["refused"], row["empty"], row["truncated"]) == (
        False, False, False, False,
    )  # fmt: skip
    assert row["model_name"] == "demo"
    assert row["processing_time_ms"] > 0


async def test_a_stream_passes_byte_for_byte(start, served, engine, client, log_rows):
    gateway = await start()
    body = json.dumps(CHAT | {"stream": True, "stream_options": {"include_usage": True}}).encode()
    async with client.post(gateway.url + "/v1/chat/completions", data=body) as answer:
        through = await answer.read()
    async with client.post(engine.url + "/v1/chat/completions", data=body) as direct:
        assert through == await direct.read()
    assert answer.headers["content-type"] == "text/event-stream"
    (row,) = await log_rows(answer.headers["x-request-id"])
    assert row["stream"]
    assert row["finish_reason"] == "stop"
    assert row["output_text"] == "word " * 5
    assert row["ttft_ms"] > 0
    assert row["token_ms"] >= 0
    assert row["completion_tokens"] == 5


async def test_completions_and_their_streams(start, served, engine, client, log_rows):
    gateway = await start()
    body = {"model": "demo", "prompt": "once upon", "max_tokens": 3}
    async with client.post(gateway.url + "/v1/completions", json=body) as answer:
        assert (await answer.json())["choices"][0]["text"] == "word word word"
    (row,) = await log_rows(answer.headers["x-request-id"])
    assert row["truncated"] is None
    assert row["finish_reason"] == "length"
    async with client.post(gateway.url + "/v1/completions", json=body | {"stream": True}) as answer:
        text = await answer.text()
    assert text.count("data:") == 5
    assert text.endswith("data: [DONE]\n\n")
