"""OpenAI's own Python client against the gateway and straight against the engine: same results."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator

import openai
import pytest
from gateway_process import eventually
from openai_script import (
    FUNCTION,
    pass_through,
    pass_through_async,
    plain,
    refusal,
    user,
)

from slipway_contracts.model import Task

SLOW = 10_000


def sync_client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0, timeout=60)


def async_client(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=url + "/v1", api_key="none", max_retries=0, timeout=60)


async def run(url: str, script, *args):
    """A script with the sync client, outside of the loop that serves the engine."""

    def work():
        with sync_client(url) as client:
            return script(client, *args)

    return await asyncio.to_thread(work)


@pytest.fixture
async def served(demo, v1, to) -> AsyncIterator:
    """A Model for text under the test's name, and one for embeddings."""
    await demo.publish(to(v1))
    return demo


@pytest.fixture
async def embedder(demo, v1, to) -> AsyncIterator:
    await demo.publish(to(v1), task=Task.EMBEDDING)
    return demo


class Both:
    """Embeddings need a Model of another task: its name, given to the calls that embed."""

    def __init__(self, client, embedder: str) -> None:
        self._client = client
        self._embedder = embedder

    def __getattr__(self, name):
        return getattr(self._client, name)

    @property
    def embeddings(self):
        create, embedder = self._client.embeddings.create, self._embedder

        class Embeddings:
            @staticmethod
            def create(**fields):
                return create(**fields | {"model": embedder})

        return Embeddings()


async def test_every_call_gives_what_the_engine_gives(served, v1, to):
    text = served.model
    served.model = embedder = text + "-embedder"
    await served.publish(to(v1), task=Task.EMBEDDING)

    def script(client):
        return pass_through(Both(client, embedder), text)

    through, straight = await run(served.gateway.url, script), await run(v1.url, script)
    assert through == straight

    results = []
    for url in (served.gateway.url, v1.url):
        async with async_client(url) as client:
            results.append(await pass_through_async(Both(client, embedder), text))
    assert results[0] == results[1]


async def test_models(served):
    def script(client):
        listed = [model.id for model in client.models.list()]
        return listed, plain(client.models.retrieve(served.model))

    listed, card = await run(served.gateway.url, script)
    assert served.model in listed
    assert (card["id"], card["object"]) == (served.model, "model")


async def test_errors_are_the_clients_own_classes(embedder):
    def script(client):
        create = client.chat.completions.create
        nowhere = refusal(lambda: create(model="nowhere", messages=user("x")))
        field = refusal(lambda: create(model=embedder.model, messages=[]))
        task = refusal(lambda: create(model=embedder.model, messages=user("x")))
        return [(*one[:2], one[2]["param"]) for one in (nowhere, field, task)]

    assert await run(embedder.gateway.url, script) == [
        ("NotFoundError", 404, "model"),
        ("BadRequestError", 400, "messages"),
        ("BadRequestError", 400, "model"),
    ]


async def test_a_stream_that_is_left_stops_the_engine(served, v1):
    v1.script.chunk_delay, v1.script.chunks = 0.05, SLOW

    def leave(client):
        with client.chat.completions.create(
            model=served.model, messages=user("x"), stream=True
        ) as stream:
            next(iter(stream))
            return stream.response.headers["x-request-id"]

    left = [await run(served.gateway.url, leave)]
    async with async_client(served.gateway.url) as client:
        stream = await client.chat.completions.create(
            model=served.model, messages=user("x"), stream=True
        )
        await anext(aiter(stream))
        left.append(stream.response.headers["x-request-id"])
        await stream.close()
    await eventually(lambda: sorted(v1.calls.aborted) == sorted(left), what="both aborts")
    for request_id in left:
        (row,) = await served.rows(request_id)
        assert row["client_gone"]


class TestResponses:
    async def test_whole_answers(self, served, v1):
        def script(client):
            create = client.responses.create
            said = create(model=served.model, input="hello there", instructions="Be short.")
            call = create(model=served.model, input="!tool", tools=[FUNCTION])
            answered = [
                *user("!x"),
                *call.output,
                {"type": "function_call_output", "call_id": call.output[0].call_id, "output": "1"},
            ]
            again = create(model=served.model, input=answered, tools=[FUNCTION])
            cut = create(model=served.model, input="hello", max_output_tokens=2)
            return said, call, again, cut

        said, call, again, cut = await run(served.gateway.url, script)
        assert said.output_text == again.output_text == "word word word word word"
        assert (said.status, said.model) == ("completed", served.model)
        assert (said.instructions, call.tools[0].name) == ("Be short.", "weather")
        assert said.usage.output_tokens == 5
        assert (call.output[0].type, call.output[0].name) == ("function_call", "weather")
        assert json.loads(call.output[0].arguments) == {"city": "Kazan"}
        assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")
        sent = json.loads(v1.calls.bodies[2])["messages"]
        assert [message["role"] for message in sent] == ["user", "assistant", "tool"]
        (row,) = await served.rows(said.id.removeprefix("resp_"))
        assert (row["route"], row["completion_tokens"]) == ("/v1/responses", 5)
        assert row["output_text"] == said.output_text

    async def test_streams(self, served):
        def script(client):
            create = client.responses.create
            events = list(create(model=served.model, input="hello", stream=True))
            calls = list(create(model=served.model, input="!tool", tools=[FUNCTION], stream=True))
            with client.responses.stream(model=served.model, input="hello") as helper:
                for _ in helper:
                    pass
                return events, calls, helper.get_final_response()

        events, calls, final = await run(served.gateway.url, script)
        kinds = [kind for kind, _ in itertools.groupby(event.type for event in events)]
        assert kinds == [
            "response.created", "response.in_progress", "response.output_item.added",
            "response.content_part.added", "response.output_text.delta",
            "response.output_text.done", "response.content_part.done",
            "response.output_item.done", "response.completed",
        ]  # fmt: skip
        assert "".join(e.delta for e in events if e.type.endswith("text.delta")) == "word " * 5
        assert events[-1].response.usage.output_tokens == 5
        assert json.loads(calls[-1].response.output[0].arguments) == {"city": "Kazan"}
        assert final.output_text == "word " * 5

    async def test_async(self, served):
        async with async_client(served.gateway.url) as client:
            whole = await client.responses.create(model=served.model, input="hello")
            stream = await client.responses.create(model=served.model, input="hello", stream=True)
            last = [event async for event in stream][-1]
        assert whole.output_text.split() == last.response.output_text.split()

    async def test_broken_streams_end_as_failed(self, served):
        def script(client, text):
            return list(client.responses.create(model=served.model, input=text, stream=True))

        for text in ("!die", "!die-mid-event !die", "!no-end", "!in-band-error"):
            events = await run(served.gateway.url, script, text)
            assert events[-1].type == "response.failed", text
            assert events[-1].response.error.message

    async def test_refused_by_name(self, served):
        fields = (
            {"previous_response_id": "resp_1"},
            {"store": True},
            {"background": True},
            {"conversation": "conv_1"},
            {"include": ["reasoning.encrypted_content"]},
            {"tools": [{"type": "web_search"}]},
        )

        def script(client):
            create = client.responses.create
            return [
                refusal(lambda more=more: create(model=served.model, input="x", **more))
                for more in fields
            ]

        refused = await run(served.gateway.url, script)
        for more, (kind, _, body) in zip(fields, refused, strict=True):
            assert (kind, body["param"]) == ("BadRequestError", next(iter(more)))
