"""Fuzz of the dialects: whatever a client or an engine sends is an ``Ask``, an answer, or an error
of the gateway's own tree; never another exception.
"""

from __future__ import annotations

import os

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipway_contracts.model import GenerationDefaults
from slipway_contracts.route import ModelRoute
from slipway_gateway.dialects.base import Reply
from slipway_gateway.dialects.openai import Chat, Completions
from slipway_gateway.dialects.service import Forward, ForwardBatch
from slipway_gateway.errors import BackendBroken, GatewayError

EXAMPLES = 20_000 if os.environ.get("SLIPWAY_SOAK") else 500
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
DIALECTS = {d.path: d for d in (Chat(), Completions(), Forward(), ForwardBatch(8))}
ROUTE = ModelRoute(model="m", salt="s", system_prompt="Be short.")
DEFAULTS = GenerationDefaults()
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


@every
@fuzzed
@given(body=bodies)
def test_any_body_is_an_ask_or_a_clients_error(dialect, body):
    try:
        ask = dialect.parse(body, DEFAULTS)
    except GatewayError as error:
        assert 400 <= error.status < 500
        status, out = dialect.failure(error, "r-1")
        assert 400 <= status < 500
        orjson.loads(out)
        return
    assert isinstance(ask.stream, bool)
    upstream = orjson.loads(dialect.upstream_body(ask, ROUTE))
    assert isinstance(upstream, dict)
    assert isinstance(ask.text, str)


@every
@fuzzed
@given(body=bodies, status=st.sampled_from([200, 201, 400, 404, 422, 429, 500, 503, 599]))
def test_any_answer_is_passed_translated_or_broken(dialect, body, status):
    reply = Reply(status=status, body=body, version="v1", millis=1.5, request_id="r-1")
    try:
        got, out = dialect.whole(reply)
    except BackendBroken as error:
        got, out = dialect.failure(error, "r-1")
        orjson.loads(out)
    assert 200 <= got < 600
    assert isinstance(out, bytes)


@pytest.mark.parametrize("depth", [10, 1000, 100_000])
@every
def test_deep_bodies(dialect, depth):
    for body in (b"[" * depth + b"]" * depth, b'{"messages":' + b"[" * depth, b'{"a":' * depth):
        with pytest.raises(GatewayError):
            dialect.parse(body, DEFAULTS)
