"""Each error: its status, its shape, the request id, and what the log says of it."""

from __future__ import annotations

import json
import re

import aiohttp
import pytest
from free_ports import free_port

NOBODY = "http://127.0.0.1:9"


def error_of(text, answer):
    error = json.loads(text)["error"]
    assert set(error) == {"message", "type", "param", "code", "request_id"}
    assert error["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-slipway-version"]
    return error


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b"\xff\xfe", b'{"a": NaN}'])
async def test_malformed_json_is_400(demo, v1, to, body):
    await demo.publish(to(v1))
    for path in ("/v1/chat/completions", "/v1/completions"):
        async with demo.post(body, path) as answer:
            assert answer.status == 400
            assert error_of(await answer.read(), answer)["type"] == "invalid_request_error"
    async with demo.post(body, "/forward") as answer:
        assert answer.status == 400
        assert "detail" in await answer.json()
    assert v1.calls.bodies == []


async def test_wrong_fields_are_400_under_v1_and_422_on_forward(demo):
    async with demo.post({"model": "x", "messages": "no"}) as answer:
        assert answer.status == 400
        assert error_of(await answer.read(), answer)["param"] == "messages"
    async with demo.post({"text": 3}, "/forward") as answer:
        assert answer.status == 422
        assert (await answer.json())["detail"][0]["loc"] == ["body", "text"]


async def test_an_unknown_model_is_404(demo):
    async with demo.post(demo.chat()) as answer:
        assert answer.status == 404
        assert error_of(await answer.read(), answer)["code"] == "model_not_found"
    async with demo.client.get(demo.gateway.url + "/v1/models/nope") as answer:
        assert answer.status == 404
        error_of(await answer.read(), answer)


async def test_nothing_serves_is_503_with_retry_after(demo):
    await demo.publish()
    async with demo.post(demo.chat()) as answer:
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0
        assert error_of(await answer.read(), answer)["code"] == "no_capacity"


async def test_a_dead_backend_is_503_after_one_retry(demo, to):
    await demo.publish(to(NOBODY, version="v1"))
    async with demo.post(demo.chat()) as answer:
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0
        error = error_of(await answer.read(), answer)
        assert error["code"] == "upstream_unavailable"
        assert "127.0.0.1" not in error["message"]
    rows = await demo.rows(answer.headers["x-request-id"], 2)
    assert [(row["attempt"], row["error"], row["status"]) for row in rows] == [
        (1, True, 503),
        (2, True, 503),
    ]


async def test_the_engines_own_5xx_is_passed_on(demo, v1, to):
    await demo.publish(to(v1))
    async with demo.post(demo.chat("!error500")) as answer:
        assert answer.status == 500
        assert (await answer.json())["error"]["message"] == "the engine is broken"
    (row,) = await demo.rows(answer.headers["x-request-id"])
    assert row["error"]
    assert row["message"] == "the backend answered 500"
    assert "the engine is broken" in row["output_text"]


async def test_a_5xx_that_is_no_openai_error_becomes_one_that_quotes_it(demo, v1, to):
    await demo.publish(to(v1))
    async with demo.post(demo.chat("!text500")) as answer:
        assert answer.status == 500
        assert answer.headers["content-type"] == "application/json"
        assert "Internal Server Error" in error_of(await answer.read(), answer)["message"]


async def test_an_answer_that_is_none_is_502(demo, v1, to):
    await demo.publish(to(v1))
    async with demo.post(demo.chat("!badjson")) as answer:
        assert answer.status == 502
        error_of(await answer.read(), answer)
    (row,) = await demo.rows(answer.headers["x-request-id"])
    assert row["error"]


async def test_a_context_limit_is_refused_a_clients_mistake_is_not(demo, v1, to):
    v1.script.context_limit = 5
    await demo.publish(to(v1))
    for text, refused in (("one two three four five six seven", True), ("!error400", False)):
        async with demo.post(demo.chat(text)) as answer:
            assert answer.status == 400
            assert (await answer.json())["error"]["code"] == 400
        (row,) = await demo.rows(answer.headers["x-request-id"])
        assert (row["refused"], row["error"], row["empty"]) == (refused, False, None)


async def test_empty_and_truncated_answers(demo, v1, to):
    await demo.publish(to(v1))
    _, _, empty = await demo.ask("!empty")
    _, _, cut = await demo.ask("!length")
    _, _, limited = await demo.ask("!length", max_tokens=3)
    _, _, stream = await demo.ask("!empty", stream=True)
    assert [(await demo.rows(i))[0]["empty"] for i in (empty, cut, stream)] == [True, False, True]
    assert [(await demo.rows(i))[0]["truncated"] for i in (cut, limited)] == [True, None]


@pytest.mark.parametrize("how", ["!die", "!die-mid-event", "!no-end"])
async def test_a_broken_stream_ends_with_an_error_event(demo, v1, to, how):
    await demo.publish(to(v1))
    async with demo.post(demo.chat(how, stream=True)) as answer:
        assert answer.status == 200
        text = await answer.text()
    events = re.findall(r"data: (.*)\n\n", text)
    assert "".join(f"data: {event}\n\n" for event in events) == text
    parsed = [json.loads(event) for event in events]
    assert all("choices" in event for event in parsed[:-1])
    assert parsed[-1]["error"]["request_id"] == answer.headers["x-request-id"]
    (row,) = await demo.rows(answer.headers["x-request-id"])
    assert row["error"]
    assert row["output_text"].startswith("word")


async def test_an_error_inside_a_stream_counts(demo, v1, to):
    await demo.publish(to(v1))
    _, _, request_id = await demo.ask("!in-band-error", stream=True)
    (row,) = await demo.rows(request_id)
    assert row["error"]
    assert row["output_text"].endswith("engine died")


async def test_an_engine_that_dies_before_it_answers_is_asked_again(demo, v1, to):
    """It broke off without a head: nothing reached the client, so once more is safe."""
    await demo.publish(to(v1))
    async with demo.post(demo.chat("!die")) as answer:
        assert answer.status == 503
    rows = await demo.rows(answer.headers["x-request-id"], 2)
    assert [row["error"] for row in rows] == [True, True]
    assert len(v1.calls.bodies) == 2


async def test_forward_answers_403_when_the_model_failed(demo, v1, to):
    v1.script.context_limit = 5
    await demo.publish(to(v1), default=True)
    try:
        for text in ("!error500", "one two three four five six", "!badjson"):
            async with demo.post({"text": text}, "/forward") as answer:
                assert answer.status == 403, text
                assert "detail" in await answer.json()
    finally:
        await demo.publish(to(v1))


async def test_unknown_paths_and_methods(demo):
    for path in ("/nope", "/v1/nope", "/v1//chat/completions", "/v1/chat/completions/"):
        async with demo.client.post(demo.gateway.url + path, allow_redirects=False) as answer:
            assert answer.status == 404, path
            error_of(await answer.read(), answer)
    async with demo.client.get(demo.gateway.url + "/v1/chat/completions") as answer:
        assert answer.status == 405
        error_of(await answer.read(), answer)


async def test_openais_own_client_understands_the_errors(demo, v1, to):
    import openai

    await demo.publish(to(v1))
    url = demo.gateway.url + "/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key="slw_x", max_retries=0) as bad_key:
        with pytest.raises(openai.AuthenticationError):
            await bad_key.models.list()
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        hello = [{"role": "user", "content": "hello"}]
        with pytest.raises(openai.NotFoundError, match="nope"):
            await client.chat.completions.create(model="nope", messages=hello)
        answer = await client.chat.completions.create(model=demo.model, messages=hello)
        assert answer.choices[0].message.content.startswith("word")
        stream = await client.chat.completions.create(
            model=demo.model, messages=[{"role": "user", "content": "!die"}], stream=True
        )
        with pytest.raises(openai.APIError, match="broke off"):
            async for _ in stream:
                pass


async def test_a_port_where_nobody_listens_is_no_crash(demo, to):
    await demo.publish(to(f"http://127.0.0.1:{free_port()}", version="v1"))
    async with demo.post(demo.chat(stream=True)) as answer:
        assert answer.status == 503
    with pytest.raises(aiohttp.ClientResponseError):
        answer.raise_for_status()


async def test_an_answer_that_cannot_be_translated_is_the_versions_failure(demo, v1, to):
    await demo.publish(to(v1), default=True)
    async with demo.post({"text": "!nochoices"}, "/forward") as answer:
        assert answer.status == 403
    (row,) = await demo.rows(answer.headers["x-request-id"])
    assert row["error"]
    await demo.publish(to(v1))
