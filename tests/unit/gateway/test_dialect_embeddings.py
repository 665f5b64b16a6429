"""/v1/embeddings and what chats and completions pass on unread."""

from __future__ import annotations

import json

import pytest

from slipway_contracts.model import GenerationDefaults, Task
from slipway_contracts.route import ModelRoute
from slipway_gateway.dialects.base import Reply
from slipway_gateway.dialects.embeddings import Embeddings
from slipway_gateway.dialects.openai import Chat, Completions
from slipway_gateway.errors import BadRequest, SchemaViolation

DEFAULTS = GenerationDefaults()
ROUTE = ModelRoute(model="demo", salt="s", task=Task.EMBEDDING)


def parse(dialect, fields):
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return dialect.parse(body, DEFAULTS)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("hello", "hello"),
        (["a", "b"], "a\nb"),
        ([1, 2, 3], "[1,2,3]"),
        ([[1, 2], [3]], "[[1,2],[3]]"),
    ],
)
def test_every_kind_of_input(given, text):
    body = json.dumps({"model": "demo", "input": given, "encoding_format": "base64"}).encode()
    ask = parse(Embeddings(), body)
    assert (ask.model, ask.text, ask.task, ask.path) == (
        "demo", text, Task.EMBEDDING, "/v1/embeddings",
    )  # fmt: skip
    assert Embeddings().upstream_body(ask, ROUTE) is body
    assert not ask.judge_truncation


@pytest.mark.parametrize(
    "given", [None, "", [], [""], ["a", 1], [1.5], [True], [[]], [[1], "a"], {}, 3]
)
def test_wrong_inputs_are_named(given):
    with pytest.raises(SchemaViolation) as error:
        parse(Embeddings(), {"model": "demo", "input": given})
    assert error.value.param == "input"


def test_no_streams():
    with pytest.raises(SchemaViolation) as error:
        parse(Embeddings(), {"model": "demo", "input": "x", "stream": True})
    assert error.value.param == "stream"


def test_answers_pass_untouched():
    body = b'{"data": [ {"embedding": "AAAA"} ]}'
    reply = Reply(status=200, body=body, version="v1", millis=1, request_id="r")
    assert Embeddings().whole(reply) == (200, body)


def test_the_body_of_source_system_2_passes_as_it_is():
    """Its documented completion, with the field that no other API has (SOURCES.md 2.1)."""
    body = json.dumps(
        {
            "model": "NightForger/saiga_nemo_12b-GPTQ",
            "prompt": "Что такое Slipway?",
            "temperature": 0.7,
            "top_p": 0.9,
            "presence_penalty": 0,
            "frequency_penalty": 0,
            "max_tokens": 1024,
            "max_model_len": 20000,
        },
        ensure_ascii=False,
        indent=2,
    ).encode()
    ask = parse(Completions(), body)
    assert ask.body is body
    assert Completions().upstream_body(ask, ROUTE) is body
    assert (ask.model, ask.text) == ("NightForger/saiga_nemo_12b-GPTQ", "Что такое Slipway?")


def test_tools_and_structured_output_pass_as_they_are():
    body = json.dumps(
        {
            "model": "demo",
            "messages": [{"role": "user", "content": "hi"}],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "parallel_tool_calls": False,
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
            "temperature": 0.0,
        },
        indent=1,
    ).encode()
    ask = parse(Chat(), body)
    assert Chat().upstream_body(ask, ROUTE) is body
    assert (ask.wants_json, ask.greedy, ask.task) == (True, True, Task.TEXT_GENERATION)


@pytest.mark.parametrize("temperature", [None, 0.1, False, "0", 1])
def test_only_temperature_zero_is_greedy(temperature):
    fields = {"model": "demo", "prompt": "x", "temperature": temperature}
    assert not parse(Completions(), fields).greedy
    assert parse(Completions(), fields | {"temperature": 0}).greedy


def test_what_is_too_deep_to_write_again_is_the_clients_mistake():
    deep = b'{"a":' * 400 + b"1" + b"}" * 400
    message = b'{"role":"user","content":[' + deep + b"]}"
    with pytest.raises(BadRequest):
        parse(Chat(), b'{"model":"demo","messages":[' + message + b"]}")
    ask = parse(Chat(), b'{"model":"demo","messages":[{"role":"user"}],"x":' + deep + b"}")
    with pytest.raises(BadRequest):
        Chat().upstream_body(ask, ModelRoute(model="demo", salt="s", system_prompt="x"))
