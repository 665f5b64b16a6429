"""Dialects: bytes → Ask, answers and errors in each language."""

from __future__ import annotations

import json

import pytest

from slipway_contracts.model import GenerationDefaults
from slipway_contracts.route import ModelRoute
from slipway_gateway.dialects.base import Reply
from slipway_gateway.dialects.openai import Chat, Completions
from slipway_gateway.dialects.service import Forward, ForwardBatch
from slipway_gateway.errors import (
    BackendBroken,
    BackendTimeout,
    BackendUnreachable,
    BadRequest,
    SchemaViolation,
    UnknownModel,
)

DEFAULTS = GenerationDefaults(max_tokens=11, temperature=0.5, top_p=0.25)
USER = {"role": "user", "content": "hello"}


def route(**fields):
    return ModelRoute(model="demo", salt="s", **fields)


def parse(dialect, fields):
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return dialect.parse(body, DEFAULTS)


def reply(body, status=200):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status=status, body=body, version="v1", millis=12.3456, request_id="r1")


class TestChat:
    def test_reads_what_routing_needs_and_keeps_the_bytes(self):
        body = json.dumps(
            {
                "model": "demo",
                "messages": [
                    {"role": "system", "content": "be kind"},
                    {"role": "user", "content": [{"type": "text", "text": "first"}]},
                    {"role": "assistant", "content": "yes"},
                    {"role": "user", "content": "last"},
                ],
                "stream": True,
                "user": "ann",
                "prompt_cache_key": "conv",
                "unknown": {"kept": 1},
            },
            indent=1,
        ).encode()
        ask = parse(Chat(), body)
        assert ask.body is body
        assert (ask.model, ask.stream, ask.text) == ("demo", True, "last")
        assert (ask.system, ask.first) == ("be kind", "first")
        assert (ask.conversation, ask.user) == ("conv", "ann")
        assert Chat().upstream_body(ask, route()) is body

    @pytest.mark.parametrize(
        ("more", "judged"),
        [({}, True), ({"max_tokens": None}, True), ({"max_tokens": 5}, False),
         ({"max_completion_tokens": 5}, False)],
    )  # fmt: skip
    def test_own_limits(self, more, judged):
        ask = parse(Chat(), {"model": "demo", "messages": [USER], **more})
        assert ask.judge_truncation == judged

    def test_previous_response_id_goes_first(self):
        more = {"previous_response_id": "resp", "prompt_cache_key": "conv"}
        ask = parse(Chat(), {"model": "demo", "messages": [USER], **more})
        assert ask.conversation == "resp"

    def test_a_models_system_prompt_only_where_the_chat_has_none(self):
        with_prompt = route(system_prompt="You are Saiga.")
        ask = parse(Chat(), {"model": "demo", "messages": [USER], "seed": 1})
        sent = json.loads(Chat().upstream_body(ask, with_prompt))
        assert sent["messages"] == [{"role": "system", "content": "You are Saiga."}, USER]
        assert sent["seed"] == 1
        own = parse(
            Chat(), {"model": "demo", "messages": [{"role": "developer", "content": "x"}, USER]}
        )
        assert Chat().upstream_body(own, with_prompt) is own.body
        late = parse(
            Chat(), {"model": "demo", "messages": [USER, {"role": "system", "content": ""}]}
        )
        assert Chat().upstream_body(late, with_prompt) is late.body

    @pytest.mark.parametrize(
        ("fields", "param"),
        [
            ({"messages": [USER]}, "model"),
            ({"model": 3, "messages": [USER]}, "model"),
            ({"model": "demo"}, "messages"),
            ({"model": "demo", "messages": []}, "messages"),
            ({"model": "demo", "messages": ["x"]}, "messages"),
            ({"model": "demo", "messages": [USER, 3]}, "messages"),
            ({"model": "demo", "messages": [USER], "stream": "yes"}, "stream"),
        ],
    )
    def test_wrong_fields_are_named(self, fields, param):
        with pytest.raises(SchemaViolation) as error:
            parse(Chat(), fields)
        assert error.value.param == param

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'"x"', b"{} {}"])
    def test_no_json_object(self, body):
        with pytest.raises(BadRequest):
            parse(Chat(), body)

    def test_odd_contents_do_not_break(self):
        message = {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": "data:,x"}}, 3],
        }
        ask = parse(Chat(), {"model": "demo", "messages": [message, {"role": "user"}]})
        assert "image_url" in ask.first

    def test_errors(self):
        status, body = Chat().failure(SchemaViolation("bad", param="model"), "r1")
        assert status == 400
        error = json.loads(body)["error"]
        assert error == {
            "message": "bad", "type": "invalid_request_error", "param": "model",
            "code": "invalid_field", "request_id": "r1",
        }  # fmt: skip
        assert Chat().failure(UnknownModel("no"), "r")[0] == 404

    def test_a_5xx_body_is_kept(self):
        own = b'{"error": {"message": "CUDA"}}'
        assert Chat().whole(reply(own, 500)) == (500, own)
        status, body = Chat().whole(reply(b"Internal Server Error", 500))
        assert status == 500
        assert "Internal Server Error" in json.loads(body)["error"]["message"]
        assert json.loads(body)["error"]["request_id"] == "r1"


class TestCompletions:
    def test_the_apis_own_limit_is_not_the_versions_doing(self):
        ask = parse(Completions(), {"model": "demo", "prompt": "hi"})
        assert not ask.judge_truncation
        assert (ask.text, ask.first) == ("hi", "hi")

    @pytest.mark.parametrize("prompt", [["a", "b"], [1, 2, 3], [[1], [2]], None])
    def test_other_prompts(self, prompt):
        assert isinstance(parse(Completions(), {"model": "m", "prompt": prompt}).text, str)

    def test_prompt_is_required(self):
        with pytest.raises(SchemaViolation, match="prompt"):
            parse(Completions(), {"model": "demo"})


class TestForward:
    def test_becomes_a_completion_with_the_models_defaults(self):
        ask = parse(Forward(), {"text": "hi", "max_new_tokens": 3})
        sent = json.loads(Forward().upstream_body(ask, route()))
        assert sent == {
            "model": "demo", "prompt": "hi", "max_tokens": 3, "temperature": 0.5, "top_p": 0.25
        }  # fmt: skip
        assert ask.model is None
        assert ask.path == "/v1/completions"

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({}, "text"),
            ({"text": ""}, "text"),
            ({"text": 3}, "text"),
            ({"text": "a", "temperature": 9}, "temperature"),
            ({"text": "a", "top_p": 0}, "top_p"),
            ({"text": "a", "max_new_tokens": 0}, "max_new_tokens"),
            ({"text": "a", "max_new_tokens": "3"}, "max_new_tokens"),
            ({"text": "a", "max_tokens": 3}, "max_tokens"),
        ],
    )
    def test_wrong_fields_are_422_with_their_place(self, fields, field):
        with pytest.raises(SchemaViolation) as error:
            parse(Forward(), fields)
        status, body = Forward().failure(error.value, "r1")
        assert status == 422
        assert json.loads(body)["detail"][0]["loc"] == ["body", field]

    def test_the_answer(self):
        completion = {"model": "demo", "choices": [{"text": " there", "finish_reason": "stop"}]}
        status, body = Forward().whole(reply(completion))
        assert status == 200
        assert json.loads(body) == {
            "generated_text": " there", "finish_reason": "stop", "model": "demo", "version": "v1",
            "processing_time_ms": 12.346,
        }  # fmt: skip

    @pytest.mark.parametrize("body", [b"[]", {"choices": []}, {"choices": [{"text": None}]}, {}])
    def test_no_completion(self, body):
        with pytest.raises(BackendBroken):
            Forward().whole(reply(body))

    @pytest.mark.parametrize(
        ("status", "expected"), [(400, 403), (404, 403), (500, 403), (503, 503), (429, 503)]
    )
    def test_a_model_that_failed_on_the_input_is_403(self, status, expected):
        got, body = Forward().whole(reply({"error": {"message": "too long"}}, status))
        assert got == expected
        assert "too long" in json.loads(body)["detail"]

    @pytest.mark.parametrize(
        ("error", "status"),
        [(BackendBroken("x"), 403), (BackendTimeout("x"), 403), (BackendUnreachable("x"), 503),
         (BadRequest("x"), 400)],
    )  # fmt: skip
    def test_failures(self, error, status):
        assert Forward().failure(error, "r")[0] == status


class TestForwardBatch:
    def test_in_the_order_of_the_texts(self):
        ask = parse(ForwardBatch(4), {"texts": ["a", "b"]})
        assert json.loads(ask.body)["prompt"] == ["a", "b"]
        choices = [{"index": 1, "text": "B"}, {"index": 0, "text": "A"}]
        _, body = ForwardBatch(4).whole(reply({"model": "demo", "choices": choices}))
        assert json.loads(body)["generated_texts"] == ["A", "B"]

    def test_bounded(self):
        with pytest.raises(SchemaViolation, match="at most 1"):
            parse(ForwardBatch(1), {"texts": ["a", "b"]})
        with pytest.raises(SchemaViolation):
            parse(ForwardBatch(1), {"texts": []})
