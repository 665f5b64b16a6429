"""The properties of dialects that hold for any bytes, and a fuzzer of them led by coverage.

A client's body is an ``Ask`` that says what the body says, or a client's error; a backend's answer
or stream is passed, translated, or broken by its name: never another exception.
``python tests/support/fuzz_dialects.py -runs=100000`` (needs atheris; libFuzzer's options). Tests
feed the same checks from hypothesis.
"""

from __future__ import annotations

import sys
from typing import Any

import orjson

from slipway_contracts.model import GenerationDefaults
from slipway_contracts.route import ModelRoute
from slipway_gateway.ask import Ask
from slipway_gateway.control.route import Route
from slipway_gateway.dialects.base import Reply
from slipway_gateway.dialects.embeddings import Embeddings
from slipway_gateway.dialects.openai import Chat, Completions
from slipway_gateway.dialects.responses import Responses
from slipway_gateway.dialects.service import Forward, ForwardBatch
from slipway_gateway.errors import BackendBroken, GatewayError
from slipway_gateway.hotpath.sniff import read_whole

DIALECTS = {
    d.path: d
    for d in (Chat(), Completions(), Forward(), ForwardBatch(8), Embeddings(), Responses())
}
UNTOUCHED = {"/v1/chat/completions", "/v1/completions", "/v1/embeddings"}
ENDS = (b"response.completed", b"response.incomplete", b"response.failed")
PLAIN = Route(ModelRoute(model="m", salt="s"))
PROMPTED = Route(ModelRoute(model="m", salt="s", system_prompt="Be short."))
DEFAULTS = GenerationDefaults()
# Depths that a parser takes and a writer may not.
DEEP = b"[" * 300 + b"]" * 300
DEEPER = b"[" * 1000 + b"]" * 1000
TOKENS = (
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b"\\",
        b" ",
        b"\n",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
    ),
    *(b"null", b"true", b"false", b"0", b"-1", b"1.5", b"1e999", b"NaN", b"18446744073709551615"),
    *(b"18446744073709551616", b'""', b'"m"', b'"\\ud800"', b'"\\u0000"', b'"user"', b'"system"'),
    *(b'"text"', b'"json_object"', b'"length"', b'"function"', b"[1]", b"{}", b"[]", DEEP, DEEPER),
    *(b'"model":', b'"stream":', b'"messages":', b'"prompt":', b'"input":', b'"content":'),
    *(b'"role":', b'"text":', b'"texts":', b'"user":', b'"type":', b'"response_format":'),
    *(b'"temperature":', b'"max_tokens":', b'"max_new_tokens":', b'"tools":', b'"tool_choice":'),
    *(b'"metadata":', b'"choices":', b'"message":', b'"delta":', b'"index":', b'"usage":'),
    *(b'"prompt_tokens":', b'"completion_tokens":', b'"finish_reason":', b'"tool_calls":'),
    *(b'"name":', b'"arguments":', b'"reasoning":', b'"refusal":', b'"error":', b'"id":'),
    *(b'{"model":"m",', b'"messages":[{"role":"user","content":"x"}]', b'"input":"x"}'),
    *(b'"model":"m","prompt":"x"}', b'{"text":"x"}', b'{"texts":["x"]}', b'"stream":true,'),
    *(b'{"choices":[{"message":{"content":', b'"}}]}', b'}}],"usage":{"prompt_tokens":'),
    *(b"data: ", b"\n\n", b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n', b"[DONE]"),
    *(b'data: {"choices":[{"delta":{"tool_calls":[{"index":', b'"function":{"name":"f"'),
)


def check_request(dialect: Any, body: bytes) -> None:
    """Raises AssertionError, or whatever the dialect should not have raised."""
    try:
        ask = dialect.parse(body, DEFAULTS)
    except GatewayError as error:
        assert 400 <= error.status < 500
        status, out = dialect.failure(error, "r-1")
        assert 400 <= status < 500
        orjson.loads(out)
        return
    assert isinstance(ask.stream, bool)
    assert isinstance(ask.text, str)
    fields = orjson.loads(body)
    if ask.model is not None:
        assert ask.model == fields["model"]
        assert ask.stream == bool(fields.get("stream"))
    plain = dialect.upstream_body(ask, PLAIN)
    assert isinstance(orjson.loads(plain), dict)
    if dialect.path in UNTOUCHED:
        assert plain == body
    try:
        prompted = dialect.upstream_body(ask, PROMPTED)
    except GatewayError as error:
        # What can be read is not always shallow enough to write.
        assert 400 <= error.status < 500
        return
    assert isinstance(orjson.loads(prompted), dict)


def check_answer(dialect: Any, body: bytes, status: int) -> None:
    """A backend's whole answer, read for the log and mapped for the client."""
    read_whole(body)
    reply = Reply(status=status, body=body, version="v1", millis=1.5, request_id="r-1")
    try:
        got, out = dialect.whole(reply)
    except BackendBroken as error:
        got, out = dialect.failure(error, "r-1")
        orjson.loads(out)
    assert 200 <= got < 600
    assert isinstance(out, bytes)


def check_stream(dialect: Any, parts: list[bytes]) -> None:
    """A backend's stream, each part some whole events of it; it ends once, and by a name."""
    ask = Ask(model="m", path="/v1/chat/completions", body=b"{}", stream=True, echo={})
    mapped = dialect.stream(ask, "r-1")
    if mapped is None:
        return
    out = b"".join([*(mapped.feed(part) for part in parts), mapped.end()])
    events = [event.split(b"\n", 1) for event in out.split(b"\n\n")[:-1]]
    kinds = [name.removeprefix(b"event: ") for name, _ in events]
    assert [kind for kind in kinds if kind in ENDS] == kinds[-1:]
    numbers = [orjson.loads(data.removeprefix(b"data: "))["sequence_number"] for _, data in events]
    assert numbers == list(range(len(events)))


def one(data: bytes) -> None:
    """Bytes of the fuzzer: a dialect, what to do, then tokens by index or raw bytes."""
    if len(data) < 2:
        return
    dialect = list(DIALECTS.values())[data[0] % len(DIALECTS)]
    rest = data[2:]
    body = rest if data[1] & 4 else b"".join(TOKENS[byte % len(TOKENS)] for byte in rest)
    match data[1] % 4:
        case 0 | 1:
            check_request(dialect, body)
        case 2:
            check_answer(dialect, body, 200 if data[1] & 8 else 500)
        case _:
            events = body.replace(b"\r", b"\n").split(b"\n\n")
            check_stream(dialect, [event + b"\n\n" for event in events])


def main() -> None:
    import atheris  # type: ignore[import-not-found]

    atheris.instrument_all()
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
