"""An answer → the bad events of VERDICTS.md."""

from __future__ import annotations

import pytest

from slipway_contracts.model import Task
from slipway_gateway.ask import Ask
from slipway_gateway.outcome import Events, Observed, is_refusal, judge


def ask(**fields):
    return Ask(model="demo", path="/v1/chat/completions", body=b"", **fields)


def seen(text="hi", reason="stop", **fields):
    return Observed(text=[text], finish_reason=reason, **fields)


VLLM_CONTEXT = b'{"error":{"message":"This model\'s maximum context length is 2048 tokens."}}'
VLLM_PROMPT = b"The decoder prompt (length 999) is longer than the maximum model length of 64."
UNKNOWN_FIELD = b'{"error":{"message":"temperature must be between 0 and 2"}}'


@pytest.mark.parametrize(
    ("status", "body", "refused"),
    [
        (400, VLLM_CONTEXT, True),
        (400, VLLM_PROMPT, True),
        (400, b'{"error": {"code": "context_length_exceeded"}}', True),
        (422, VLLM_CONTEXT, True),
        (400, UNKNOWN_FIELD, False),
        (422, UNKNOWN_FIELD, False),
        (404, b"", True),
        (429, b"", True),
        (413, b"", True),
        (405, b"", False),
    ],
)
def test_refusals_depend_on_the_version(status, body, refused):
    assert is_refusal(status, body) == refused
    got = judge(ask(), status, Observed(error="said so"), broken=False, body=body)
    assert got == Events(refused=refused)


@pytest.mark.parametrize(
    ("status", "observed", "broken"),
    [
        pytest.param(500, Observed(), False, id="5xx"),
        pytest.param(503, Observed(), False, id="no room"),
        pytest.param(200, seen(), True, id="broken off"),
        pytest.param(200, seen(error="engine died"), False, id="error inside"),
        pytest.param(302, Observed(), False, id="redirect"),
    ],
)
def test_errors(status, observed, broken):
    assert judge(ask(), status, observed, broken=broken) == Events(error=True)


def test_a_good_answer():
    good = judge(ask(judge_truncation=True), 200, seen(), broken=False)
    assert good == Events(empty=False, truncated=False)


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_empty_is_success_without_text(text):
    assert judge(ask(), 200, seen(text), broken=False).empty


def test_a_tool_call_is_not_empty():
    assert judge(ask(), 200, seen("", tool_calls=True), broken=False).empty is False


def test_truncated_only_without_a_limit_of_the_clients_own():
    cut = seen(reason="length")
    assert judge(ask(judge_truncation=True), 200, cut, broken=False).truncated is True
    assert judge(ask(judge_truncation=False), 200, cut, broken=False).truncated is None


@pytest.mark.parametrize(("text", "invalid"), [('{"a": 1}', False), ('{"a": ', True), ("", True)])
def test_json_where_it_was_demanded(text, invalid):
    assert judge(ask(wants_json=True), 200, seen(text), broken=False).schema_invalid == invalid
    assert judge(ask(), 200, seen(text), broken=False).schema_invalid is None


def test_an_embedding_has_no_text_to_miss():
    assert judge(ask(task=Task.EMBEDDING), 200, Observed(), broken=False) == Events()
    assert judge(ask(), 200, Observed(), broken=False).empty
