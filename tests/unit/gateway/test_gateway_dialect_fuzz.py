"""Fuzz of the dialects: whatever a client or an engine sends is an ``Ask``, an answer, or an error
of the gateway's own tree; never another exception.
"""

from __future__ import annotations

import os
import subprocess
import sys

import fuzz_dialects
import orjson
import pytest
from fuzz_dialects import DEFAULTS, DIALECTS, check_answer, check_request, check_stream, one
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipway_gateway.errors import GatewayError

EXAMPLES = 5_000 if os.environ.get("SLIPWAY_SOAK") else 500
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
every = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)

NAMES = (
    "model",
    "messages",
    "prompt",
    "stream",
    "user",
    "text",
    "texts",
    "max_tokens",
    "role",
    "content",
    "response_format",
    "type",
    "max_new_tokens",
    "temperature",
    "top_p",
    "prompt_cache_key",
    "choices",
    "previous_response_id",
    "max_completion_tokens",
    "message",
    "index",
    "error",
    "detail",
    "usage",
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["user", "system", "developer", "m", "json_object", "\ud800"])
)
names = st.sampled_from(NAMES) | st.text(max_size=4)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
    max_leaves=12,
)
# A request that is nearly right is refused deeper inside than one that is nonsense.
nearly = st.fixed_dictionaries(
    {},
    optional={
        "model": st.just("m") | values,
        "messages": st.lists(
            st.fixed_dictionaries({}, optional={"role": scalars, "content": values}) | values,
            max_size=3,
        )
        | values,
        "prompt": st.text(max_size=5) | values,
        "text": st.text(max_size=5) | values,
        "texts": st.lists(st.text(max_size=3), max_size=10) | values,
        "stream": st.booleans() | values,
        "max_new_tokens": st.integers(-2, 200_000) | values,
        "input": st.text(max_size=5) | values,
        "tools": values,
        "tool_choice": st.sampled_from(["none", "auto", "required"]) | values,
        "response_format": values,
        "user": values,
    },
)


def dumps(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        # Integers beyond 64 bits and lone surrogates, which JSON can spell and orjson cannot.
        import json

        return json.dumps(value).encode("utf-8", "surrogatepass")


bodies = (values | nearly).map(dumps) | st.binary(max_size=60)
counts = st.integers(-(2**64), 2**64) | scalars
said = st.fixed_dictionaries(
    {},
    optional={name: st.text(max_size=5) | values for name in ("content", "reasoning", "refusal")}
    | {
        "tool_calls": values
        | st.lists(
            st.fixed_dictionaries(
                {"function": st.fixed_dictionaries({"name": st.text(max_size=3) | values})},
                optional={"id": st.text(max_size=3) | values, "index": st.integers(-1, 3) | values},
            ),
            max_size=3,
        )
    },
)
choices = st.fixed_dictionaries(
    {"message": said, "delta": said, "text": st.text(max_size=5) | values},
    optional={"finish_reason": st.sampled_from(["stop", "length"]) | values, "index": values},
)
nearly_answers = st.fixed_dictionaries(
    {"choices": st.lists(choices | values, max_size=2)},
    optional={
        "usage": values
        | st.fixed_dictionaries({"prompt_tokens": counts, "completion_tokens": counts}),
        "model": values,
        "created": values,
    },
)
answers = bodies | nearly_answers.map(dumps)


@every
@fuzzed
@given(body=bodies)
def test_any_body_is_an_ask_or_a_clients_error(dialect, body):
    check_request(dialect, body)


@every
@fuzzed
@given(body=answers, status=st.sampled_from([200, 201, 400, 404, 422, 429, 500, 503, 599]))
def test_any_answer_is_passed_translated_or_broken(dialect, body, status):
    check_answer(dialect, body, status)


@fuzzed
@given(parts=st.lists(answers.map(lambda body: b"data: " + body + b"\n\n"), max_size=6))
def test_any_stream_ends_once_and_by_a_name(parts):
    check_stream(DIALECTS["/v1/responses"], parts)


@every
@fuzzed
@given(data=st.binary(min_size=1, max_size=60))
def test_tokens_in_any_order(dialect, data):
    """What ``fuzz_dialects`` feeds, without coverage to lead it."""
    one(bytes([list(DIALECTS.values()).index(dialect)]) + data)


@pytest.mark.skipif(not os.environ.get("SLIPWAY_SOAK"), reason="SLIPWAY_SOAK=1 runs it")
@pytest.mark.timeout(1800)
def test_dialects_led_by_coverage(tmp_path):
    command = [sys.executable, fuzz_dialects.__file__, "-runs=300000", "-max_len=64"]
    done = subprocess.run([*command, f"-artifact_prefix={tmp_path}/"], capture_output=True)
    assert done.returncode == 0, done.stderr[-3000:].decode("utf-8", "replace")


@pytest.mark.parametrize("depth", [10, 1000, 100_000])
@every
def test_deep_bodies(dialect, depth):
    for body in (b"[" * depth + b"]" * depth, b'{"messages":' + b"[" * depth, b'{"a":' * depth):
        with pytest.raises(GatewayError):
            dialect.parse(body, DEFAULTS)
