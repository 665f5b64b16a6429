"""The stream sniffer: bytes unchanged, wherever they are split, whatever the engine sends."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_gateway.hotpath.sniff import EVENT_LIMIT, StreamSniffer, read_whole


def chunk(text="", reason=None, **more):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
    return {"choices": [choice], **more}


def sse(*events, newline="\n", end=True):
    lines = [f"data: {json.dumps(event, ensure_ascii=False)}{newline}{newline}" for event in events]
    if end:
        lines.append(f"data: [DONE]{newline}{newline}")
    return "".join(lines).encode()


USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
STREAM = sse(
    chunk(""), chunk("Привет "), chunk("мир"), chunk(" 🚀", "stop"), {"choices": [], "usage": USAGE}
)


def run(parts):
    sniffer = StreamSniffer()
    out = b"".join(sniffer.feed(part, float(i)) for i, part in enumerate(parts))
    return out + sniffer.rest(99.0), sniffer.seen


def split(data, cuts):
    edges = [0, *sorted({cut % len(data) for cut in cuts} - {0}), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(st.lists(st.integers(min_value=0), max_size=30), st.sampled_from(["\n", "\r\n"]))
def test_split_anywhere(cuts, newline):
    data = STREAM.replace(b"\n", newline.encode())
    out, seen = run(split(data, cuts))
    assert out == data
    assert "".join(seen.text) == "Привет мир 🚀"
    assert (seen.finish_reason, seen.done) == ("stop", True)
    assert (seen.prompt_tokens, seen.completion_tokens) == (7, 3)
    assert seen.pieces == 3


def test_byte_by_byte_times():
    _, seen = run([STREAM[i : i + 1] for i in range(len(STREAM))])
    assert seen.first_content < seen.last_content
    assert seen.token_seconds() == (seen.last_content - seen.first_content) / 2


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_any_bytes_pass_and_nothing_raises(parts):
    out, _ = run(parts)
    assert out == b"".join(parts)


def test_a_torn_event_is_held_back():
    sniffer = StreamSniffer()
    whole = sse(chunk("a"), end=False)
    assert sniffer.feed(whole + b'data: {"choi', 0.0) == whole
    assert not sniffer.seen.whole


def test_an_endless_event_passes_unread():
    sniffer = StreamSniffer()
    data = b"data: " + b"x" * EVENT_LIMIT
    assert sniffer.feed(data, 0.0) == data
    assert sniffer.blind
    assert sniffer.feed(b"more", 0.0) == b"more"


def test_several_data_lines_are_one_event():
    _, seen = run([b'data: {"choices": [{"text":\ndata: "hi", "finish_reason": "stop"}]}\n\n'])
    assert seen.text == ["hi"]


def test_comments_and_other_fields_are_ignored():
    _, seen = run([b": ping\n\nevent: x\nid: 1\n" + sse(chunk("a"))])
    assert seen.text == ["a"]


def test_an_error_inside_the_stream_is_seen():
    _, seen = run([sse(chunk("a"), {"error": {"message": "CUDA error", "code": 500}})])
    assert seen.error == "CUDA error"


@pytest.mark.parametrize(
    "usage",
    [{"prompt_tokens": -1}, {"prompt_tokens": 1e30}, {"prompt_tokens": 2**40},
     {"prompt_tokens": True}, {"prompt_tokens": "7"}, [], "x"],
)  # fmt: skip
def test_an_engine_that_lies_in_usage(usage):
    seen = read_whole(json.dumps({"choices": [], "usage": usage}).encode())
    assert seen.prompt_tokens is None


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"choices": [', b"null"], ids=repr)
def test_no_answer_at_all(body):
    assert read_whole(body) is None


@pytest.mark.parametrize(
    "choices", [None, 3, [3], [{}], [{"message": 3}], [{"text": 3}], [{"finish_reason": 3}]]
)
def test_odd_choices(choices):
    seen = read_whole(json.dumps({"choices": choices}).encode())
    assert seen.text == []
    assert seen.finish_reason is None


def test_whole_answers():
    message = {"message": {"content": None, "tool_calls": [{"id": "1"}]}, "finish_reason": "stop"}
    seen = read_whole(json.dumps({"choices": [message], "usage": USAGE}).encode())
    assert seen.tool_calls
    assert seen.completion_tokens == 3
    cut = [{"text": "a", "finish_reason": "length"}, {"text": "b", "finish_reason": "stop"}]
    assert read_whole(json.dumps({"choices": cut}).encode()).finish_reason == "length"
