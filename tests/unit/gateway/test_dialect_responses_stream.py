"""A chat's stream as a streamed Response: every event valid for OpenAI's client, in its order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from slipway_gateway.dialects.responses_request import echo_of, read_request
from slipway_gateway.dialects.responses_stream import ResponseStream
from slipway_gateway.errors import BackendTimeout

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def stream() -> ResponseStream:
    return ResponseStream(echo_of(read_request({"model": "demo", "input": "x"})), "r1")


def chunk(delta: Any = None, reason: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": reason}
    body = {"id": "c", "model": "demo", "created": 7, "choices": [choice]} | more
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def call(index: int, **function: Any) -> bytes:
    more = {"id": f"c{index}"} if "name" in function else {}
    return chunk({"tool_calls": [{"index": index, "function": function, **more}]})


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
END = chunk(reason="stop") + chunk(choices=[], usage=USAGE) + b"data: [DONE]\n\n"


def read(data: bytes) -> list[Any]:
    """The events, checked by OpenAI's own types, numbered and framed."""
    events = []
    for number, frame in enumerate(data.decode().removesuffix("\n\n").split("\n\n")):
        name, payload = frame.split("\n")
        body = json.loads(payload.removeprefix("data: "))
        assert name == "event: " + body["type"]
        assert body["sequence_number"] == number
        events.append(EVENT.validate_python(body))
    return events


def run(*parts: bytes) -> list[Any]:
    mapped = stream()
    return read(b"".join(map(mapped.feed, parts)) + mapped.end())


def kinds(events: list[Any]) -> list[str]:
    return [event.type.removeprefix("response.") for event in events]


def test_text():
    events = run(chunk({"role": "assistant", "content": ""}), chunk({"content": "Hel"}),
                 chunk({"content": "lo"}), END)  # fmt: skip
    assert kinds(events) == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta",
        "output_text.delta", "output_text.done", "content_part.done", "output_item.done",
        "completed",
    ]  # fmt: skip
    assert [e.delta for e in events if e.type.endswith("text.delta")] == ["Hel", "lo"]
    done = events[-1].response
    assert (done.id, done.status, done.output_text, done.created_at) == (
        "resp_r1", "completed", "Hello", 7,
    )  # fmt: skip
    assert done.usage.total_tokens == 5
    assert events[0].response.status == "in_progress"


def test_each_delta_goes_out_with_its_chunk():
    mapped = stream()
    mapped.feed(chunk({"content": "a"}))
    assert mapped.feed(chunk({"content": "b"})).count(b"output_text.delta") == 2
    assert mapped.feed(b": ping\n\n") == b""


def test_reasoning_then_text_then_calls():
    events = run(
        chunk({"reasoning": "h"}), chunk({"reasoning_content": "m"}), chunk({"content": "Look."}),
        call(0, name="look", arguments=""), call(0, arguments='{"a"'), call(0, arguments=":1}"),
        call(1, name="see", arguments="{}"), chunk(reason="tool_calls"), END,
    )  # fmt: skip
    output = events[-1].response.output
    assert [item.type for item in output] == ["reasoning", "message", *["function_call"] * 2]
    assert output[0].content[0].text == "hm"
    assert [(i.call_id, i.name, i.arguments) for i in output[2:]] == [
        ("c0", "look", '{"a":1}'), ("c1", "see", "{}"),
    ]  # fmt: skip
    done = [e for e in events if e.type == "response.output_item.done"]
    assert [e.output_index for e in done] == [0, 1, 2, 3]
    assert [e.item for e in done] == output
    assert kinds(events).count("function_call_arguments.done") == 2


def test_a_refusal():
    events = run(chunk({"refusal": "No"}), chunk({"refusal": "."}), END)
    assert events[-1].response.output[0].content[0].refusal == "No."
    assert kinds(events).count("refusal.delta") == 2


@pytest.mark.parametrize(
    ("reason", "why"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_a_cut_answer_is_incomplete(reason, why):
    events = run(chunk({"content": "x"}), chunk(reason=reason))
    assert events[-1].type == "response.incomplete"
    assert events[-1].response.incomplete_details.reason == why
    assert events[-1].response.output[0].status == "incomplete"


def test_nothing_at_all_is_an_empty_answer():
    assert kinds(run(END)) == ["created", "in_progress", "completed"]
    assert kinds(run()) == ["created", "in_progress", "completed"]


def test_a_broken_stream_fails_once():
    mapped = stream()
    data = mapped.feed(chunk({"content": "x"})) + mapped.failed(BackendTimeout("too late"))
    events = read(data)
    assert events[-1].type == "response.failed"
    assert events[-1].response.error.message == "too late"
    assert mapped.feed(END) + mapped.end() + mapped.failed(BackendTimeout("again")) == b""


def test_the_backends_own_error_fails_it():
    error = b'data: {"error": {"message": "engine died", "code": 500}}\n\n'
    events = run(chunk({"content": "x"}) + error, END)
    assert events[-1].type == "response.failed"
    assert "engine died" in events[-1].response.error.message


@pytest.mark.parametrize(
    "parts",
    [
        (call(0, arguments="{}"),),
        (call(0, name="a"), call(1, name="b"), call(0, arguments="x")),
        (call(0, name=3),),
    ],
)
def test_calls_that_make_no_sense_fail_it(parts):
    assert run(*parts, END)[-1].type == "response.failed"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["choices", "delta", "content", "tool_calls", "function", "name", "index", "usage",
             "error", "arguments", "refusal", "reasoning", "finish_reason", "prompt_tokens",
             "message", "id", "model", "created"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
CHUNKS = st.builds(chunk, JSON) | st.builds(
    lambda body: b"data: " + json.dumps(body).encode() + b"\n\n", JSON
)


@given(st.lists(CHUNKS | st.binary(max_size=20).map(lambda b: b + b"\n\n"), max_size=8))
def test_whatever_an_engine_sends_the_client_gets_valid_events_and_one_end(parts):
    events = run(*parts)
    ends = [k for k in kinds(events) if k in ("completed", "failed", "incomplete")]
    assert len(ends) == 1
    assert kinds(events)[-1] == ends[0]
