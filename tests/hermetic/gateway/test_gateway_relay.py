"""Bytes in, bytes out: the engine gets what the client sent, the client what the engine sent."""

from __future__ import annotations

import asyncio
import json

from gateway_process import eventually


async def test_a_chat_is_relayed_and_logged(demo, v1, to):
    await demo.publish(to(v1))
    fields = json.loads(demo.chat("hello there")) | {"future_field": [1, {"a": None}]}
    body = json.dumps(fields, indent=3).encode()
    async with demo.post(body) as answer:
        assert answer.status == 200
        got = await answer.json()
    assert v1.calls.bodies == [body]
    assert got["choices"][0]["message"]["content"] == "word word word word word"
    assert answer.headers["x-slipway-version"] == "v1"
    (row,) = await demo.rows(answer.headers["x-request-id"])
    assert (row["version"], row["status"], row["attempt"]) == ("v1", 200, 1)
    assert (row["input_text"], row["output_text"]) == ("hello there", "word word word word word")
    assert (row["prompt_tokens"], row["completion_tokens"]) == (2, 5)
    events = ("error", "refused", "empty", "truncated", "client_gone", "overdue", "shadow")
    assert not any(row[name] for name in events)
    assert row["model_name"] == demo.model
    assert row["route"] == "/v1/chat/completions"
    assert row["gateway"] == "shared"
    assert row["processing_time_ms"] > 0


async def test_a_stream_passes_byte_for_byte(demo, v1, to):
    await demo.publish(to(v1))
    body = demo.chat(stream=True, stream_options={"include_usage": True})
    async with demo.post(body) as answer:
        through = await answer.read()
    async with demo.client.post(v1.url + "/v1/chat/completions", data=body) as direct:
        assert through == await direct.read()
    assert answer.headers["content-type"] == "text/event-stream"
    (row,) = await demo.rows(answer.headers["x-request-id"])
    assert row["stream"]
    assert row["finish_reason"] == "stop"
    assert row["output_text"] == "word " * 5
    assert row["ttft_ms"] > 0
    assert row["token_ms"] >= 0
    assert row["completion_tokens"] == 5


async def test_a_streams_first_event_comes_before_its_last(demo, v1, to):
    await demo.publish(to(v1))
    v1.script.chunk_delay = 0.1
    async with demo.post(demo.chat(stream=True)) as answer:
        first = await answer.content.readuntil(b"\n\n")
        assert b"word" in first
        assert v1.calls.open == 1
        await answer.read()


async def test_completions_and_their_streams(demo, v1, to):
    await demo.publish(to(v1))
    body = {"model": demo.model, "prompt": "once upon", "max_tokens": 3}
    async with demo.post(body, "/v1/completions") as answer:
        assert (await answer.json())["choices"][0]["text"] == "word word word"
    (row,) = await demo.rows(answer.headers["x-request-id"])
    assert row["truncated"] is None
    assert row["finish_reason"] == "length"
    async with demo.post(body | {"stream": True}, "/v1/completions") as answer:
        text = await answer.text()
    assert text.count("data:") == 5
    assert text.endswith("data: [DONE]\n\n")


async def test_the_engine_sees_no_key_and_our_request_id(demo, v1, to):
    await demo.publish(to(v1))
    sent = {"x-request-id": "mine-1", "cookie": "a=b", "x-conversation-id": "c"}
    async with demo.post(demo.chat(), headers=sent) as answer:
        assert answer.headers["x-request-id"] == "mine-1"
        assert len(answer.headers.getall("x-request-id")) == 1
    (headers,) = v1.calls.headers
    headers = {name.lower(): value for name, value in headers.items()}
    assert headers["x-request-id"] == "mine-1"
    assert not {"authorization", "cookie", "x-conversation-id"} & set(headers)


async def test_a_client_that_leaves_cancels_the_engine(demo, v1, to):
    await demo.publish(to(v1))
    v1.script.chunk_delay, v1.script.chunks = 0.05, 10_000
    async with demo.post(demo.chat(stream=True)) as answer:
        await answer.content.readany()
        request_id = answer.headers["x-request-id"]
        answer.close()
    await eventually(lambda: v1.calls.aborted == [request_id], what="abort of the stream")
    (row,) = await demo.rows(request_id)
    assert row["client_gone"]
    assert not row["error"]


async def test_a_client_that_leaves_before_the_first_byte(demo, v1, to):
    await demo.publish(to(v1))
    task = asyncio.create_task(demo.ask("!hang", headers={"x-request-id": "left-early"}))
    await eventually(lambda: v1.calls.open == 1, what="the call")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await eventually(lambda: v1.calls.aborted == ["left-early"], what="abort of the call")
    (row,) = await demo.rows("left-early")
    assert (row["client_gone"], row["status"], row["error"]) == (True, 499, False)


async def test_many_at_once_keep_their_own_answers(demo, v1, to):
    await demo.publish(to(v1))

    async def one(number):
        body = demo.chat(f"q{number}", stream=number % 2 == 0)
        async with demo.post(body, headers={"x-request-id": f"{demo.model}-{number}"}) as answer:
            await answer.read()
            return answer.status

    assert set(await asyncio.gather(*(one(number) for number in range(60)))) == {200}
    found = await eventually(lambda: _inputs(demo, 60), what="60 rows")
    assert found == {f"{demo.model}-{number}": f"q{number}" for number in range(60)}


async def _inputs(demo, count):
    rows = await demo.pool.fetch(
        "SELECT request_id, input_text FROM request_logs WHERE model_name = $1", demo.model
    )
    return dict(rows) if len(rows) == count else None


async def test_a_models_system_prompt(demo, v1, to):
    await demo.publish(to(v1), system_prompt="Answer shortly.")
    await demo.ask("hello")
    sent = json.loads(v1.calls.bodies[0])
    assert sent["messages"][0] == {"role": "system", "content": "Answer shortly."}


async def test_texts_that_postgresql_cannot_hold(demo, v1, to):
    await demo.publish(to(v1))
    _, _, request_id = await demo.ask("zero \0 byte 🚀")
    (row,) = await demo.rows(request_id)
    assert row["input_text"] == "zero \ufffd byte 🚀"
