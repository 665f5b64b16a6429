"""/v1/responses on a chat: requests there, answers back, and what is refused by its name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.responses import Response

from slipway_contracts.model import GenerationDefaults
from slipway_contracts.route import ModelRoute
from slipway_gateway.dialects.base import Reply
from slipway_gateway.dialects.responses import Responses
from slipway_gateway.errors import BackendBroken, BackendTimeout, BadRequest, SchemaViolation

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
TOOL = {
    "type": "function", "name": "look", "description": "Looks.", "parameters": SCHEMA,
    "strict": True,
}  # fmt: skip


def parse(**fields: Any):
    given = {"model": "demo", "input": "hello"} | fields
    return Responses().parse(json.dumps(given).encode(), GenerationDefaults())


def chat(**fields: Any) -> dict[str, Any]:
    return json.loads(parse(**fields).body)


def whole(message: dict[str, Any], reason: str = "stop", ask: Any = None, **more: Any):
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    body = {"id": "c", "model": "demo", "created": 7, "choices": [choice]} | more
    reply = Reply(
        status=200, body=json.dumps(body).encode(), version="v1", millis=1.0, request_id="r1",
        ask=ask or parse(),
    )  # fmt: skip
    status, out = Responses().whole(reply)
    assert status == 200
    return Response.model_validate(json.loads(out))


class TestRequests:
    def test_a_string(self):
        ask = parse()
        assert json.loads(ask.body) == {
            "model": "demo", "messages": [{"role": "user", "content": "hello"}],
        }  # fmt: skip
        assert ask.path == "/v1/chat/completions"
        assert (ask.model, ask.stream, ask.text, ask.judge_truncation) == (
            "demo", False, "hello", True,
        )  # fmt: skip

    def test_everything_that_maps(self):
        sent = chat(
            instructions="Be short.",
            max_output_tokens=9,
            temperature=0,
            top_p=0.5,
            text={"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}},
            tools=[TOOL],
            tool_choice={"type": "function", "name": "look"},
            parallel_tool_calls=False,
            metadata={"k": "v"},
            user="ann",
            reasoning={"effort": "low"},
            stream=True,
            seed=3,
            stop=["x"],
            store=False,
            background=False,
            include=[],
            truncation="disabled",
            previous_response_id=None,
        )
        assert sent == {
            "model": "demo",
            "messages": [
                {"role": "system", "content": "Be short."},
                {"role": "user", "content": "hello"},
            ],
            "max_completion_tokens": 9,
            "temperature": 0,
            "top_p": 0.5,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": SCHEMA, "strict": True},
            },
            "reasoning_effort": "low",
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "look", "description": "Looks.", "parameters": SCHEMA,
                        "strict": True,
                    },
                }
            ],
            "tool_choice": {"type": "function", "function": {"name": "look"}},
            "parallel_tool_calls": False,
            "user": "ann",
            "stream": True,
            "stream_options": {"include_usage": True},
            "seed": 3,
            "stop": ["x"],
        }  # fmt: skip

    def test_what_routing_reads(self):
        ask = parse(
            prompt_cache_key="conv", safety_identifier="ann", temperature=0, max_output_tokens=3,
            text={"format": {"type": "json_object"}},
        )  # fmt: skip
        assert (ask.conversation, ask.user) == ("conv", "ann")
        assert (ask.greedy, ask.judge_truncation, ask.wants_json) == (True, False, True)

    def test_a_conversation_with_calls(self):
        given = [
            {"role": "developer", "content": "Be kind."},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": "data:,x", "detail": "low"},
            ]},
            {"type": "reasoning", "id": "rs", "summary": []},
            {"type": "message", "role": "assistant", "id": "m", "status": "completed", "content": [
                {"type": "output_text", "text": "I ", "annotations": []},
                {"type": "output_text", "text": "look.", "annotations": []},
            ]},
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
            {"type": "function_call", "call_id": "c2", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "one"},
            {"type": "function_call_output", "call_id": "c2", "output": [
                {"type": "input_text", "text": "two"},
            ]},
            {"role": "user", "content": [{"type": "input_text", "text": "and?"}]},
        ]  # fmt: skip
        call = {"type": "function", "function": {"name": "look", "arguments": "{}"}}
        assert chat(input=given)["messages"] == [
            {"role": "developer", "content": "Be kind."},
            {"role": "user", "content": [
                {"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": "data:,x", "detail": "low"}},
            ]},
            {"role": "assistant", "content": "I look.", "tool_calls": [
                {"id": "c1", **call}, {"id": "c2", **call},
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "one"},
            {"role": "tool", "tool_call_id": "c2", "content": "two"},
            {"role": "user", "content": "and?"},
        ]  # fmt: skip

    def test_the_models_system_prompt_where_there_are_no_instructions(self):
        route = ModelRoute(model="demo", salt="s", system_prompt="You are Saiga.")
        sent = json.loads(Responses().upstream_body(parse(), route))
        assert sent["messages"][0] == {"role": "system", "content": "You are Saiga."}
        own = parse(instructions="x")
        assert Responses().upstream_body(own, route) is own.body

    @pytest.mark.parametrize(
        ("fields", "param"),
        [
            ({"previous_response_id": "resp_1"}, "previous_response_id"),
            ({"store": True}, "store"),
            ({"background": True}, "background"),
            ({"conversation": "c"}, "conversation"),
            ({"include": ["reasoning.encrypted_content"]}, "include"),
            ({"prompt": {"id": "p"}}, "prompt"),
            ({"max_tool_calls": 3}, "max_tool_calls"),
            ({"top_logprobs": 5}, "top_logprobs"),
            ({"truncation": "auto"}, "truncation"),
            ({"service_tier": "flex"}, "service_tier"),
            ({"tools": [{"type": "web_search"}]}, "tools"),
            ({"tools": ["x"]}, "tools"),
            ({"tools": 3}, "tools"),
            ({"tool_choice": {"type": "file_search"}}, "tool_choice"),
            ({"text": {"verbosity": "low"}}, "text.verbosity"),
            ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format"),
            ({"reasoning": {"summary": "auto"}}, "reasoning.summary"),
            ({"stream": "yes"}, "stream"),
            (
                {"stream_options": {"include_obfuscation": True}},
                "stream_options.include_obfuscation",
            ),
            ({"max_output_tokens": 0}, "max_output_tokens"),
            ({"temperature": "hot"}, "temperature"),
            ({"model": ""}, "model"),
            ({"model": None}, "model"),
            ({"surprise": 1}, "surprise"),
            ({"input": []}, "input"),
            ({"input": None}, "input"),
            ({"input": [3]}, "input[0]"),
            ({"input": [{"type": "item_reference", "id": "m"}]}, "input[0].type"),
            ({"input": [{"type": "reasoning"}]}, "input"),
            ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
            ({"input": [{"role": "user", "content": 3}]}, "input[0].content"),
            ({"input": [{"role": "user", "content": ["x"]}]}, "input[0].content[0]"),
            (
                {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
                "input[0].content[0].type",
            ),
            (
                {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
                "input[0].content[0].type",
            ),
            (
                {"input": [{"type": "function_call", "call_id": "c", "name": "n"}]},
                "input[0].arguments",
            ),
            ({"input": [{"type": "function_call_output", "call_id": "c"}]}, "input[0].output"),
        ],
    )  # fmt: skip
    def test_refused_by_name(self, fields, param):
        with pytest.raises(SchemaViolation) as error:
            parse(**fields)
        assert error.value.param == param
        assert param.split(".")[0].split("[")[0] in error.value.message

    @pytest.mark.parametrize("depth", [100, 240, 250, 252, 253, 254, 255, 260, 900])
    def test_what_is_too_deep_is_refused_before_it_breaks_the_answer(self, depth):
        deep: Any = {}
        for _ in range(depth):
            deep = {"a": deep}
        tool = TOOL | {"parameters": deep}
        try:
            ask = parse(tools=[tool], text={
                "format": {"type": "json_schema", "name": "n", "schema": deep}
            })  # fmt: skip
        except BadRequest:
            return
        assert whole({"content": "x"}, ask=ask).status == "completed"
        stream = Responses().stream(ask, "r1")
        assert b"response.completed" in stream.feed(b"") + stream.end()


class TestAnswers:
    def test_text(self):
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5,
                 "prompt_tokens_details": {"cached_tokens": 1}}  # fmt: skip
        ask = parse(instructions="Be short.", temperature=0.5, metadata={"k": "v"}, tools=[TOOL])
        got = whole({"content": "Hi."}, usage=usage, ask=ask)
        assert (got.id, got.status, got.output_text, got.model) == (
            "resp_r1", "completed", "Hi.", "demo",
        )  # fmt: skip
        assert got.created_at == 7
        assert got.usage is not None
        assert (got.usage.input_tokens, got.usage.output_tokens, got.usage.total_tokens) == (
            3,
            2,
            5,
        )
        assert got.usage.input_tokens_details.cached_tokens == 1
        assert (got.instructions, got.temperature, got.metadata) == ("Be short.", 0.5, {"k": "v"})
        assert got.tools[0].name == "look"
        assert (got.tool_choice, got.parallel_tool_calls) == ("auto", True)

    def test_cut_answers(self):
        got = whole({"content": "Hi"}, "length")
        assert got.status == "incomplete"
        assert got.incomplete_details.reason == "max_output_tokens"
        assert got.output[0].status == "incomplete"
        assert (
            whole({"content": ""}, "content_filter").incomplete_details.reason == "content_filter"
        )

    def test_calls_reasoning_and_refusals(self):
        calls = [
            {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a":1}'}},
            {"id": "c2", "type": "function", "function": {"name": "look", "arguments": "{}"}},
        ]
        got = whole({"content": None, "reasoning": "hm", "tool_calls": calls}, "tool_calls")
        assert [item.type for item in got.output] == ["reasoning", "function_call", "function_call"]
        assert got.output[0].content[0].text == "hm"
        assert (got.output[1].call_id, got.output[1].arguments) == ("c1", '{"a":1}')
        assert len({item.id for item in got.output}) == 3
        got = whole({"content": None, "refusal": "No."})
        assert got.output[0].content[0].refusal == "No."

    def test_an_empty_answer_is_an_empty_message(self):
        got = whole({"content": ""})
        assert (got.output_text, len(got.output)) == ("", 1)

    @pytest.mark.parametrize(
        "body", [b"[]", b"{}", b'{"choices": []}', b'{"choices": [{}]}', b"x", b'{"choices": 3}',
                 b'{"choices": [{"message": {"tool_calls": [{}]}}]}',
                 b'{"choices": [{"message": {"tool_calls": 3}}]}',
                 b'{"choices": [{"message": 3}]}']
    )  # fmt: skip
    def test_no_chat(self, body):
        reply = Reply(status=200, body=body, version="v", millis=1, request_id="r", ask=parse())
        with pytest.raises(BackendBroken):
            Responses().whole(reply)

    def test_errors_are_openais(self):
        body = b'{"error": {"message": "too long", "code": 400}}'
        reply = Reply(status=400, body=body, version="v", millis=1, request_id="r", ask=parse())
        assert Responses().whole(reply) == (400, body)
        status, out = Responses().failure(BackendTimeout("late"), "r")
        assert (status, json.loads(out)["error"]["code"]) == (504, "upstream_timeout")
