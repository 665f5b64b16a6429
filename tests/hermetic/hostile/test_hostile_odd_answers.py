"""Engines whose answers are JSON, but not of the shape: routes that translate must not stumble.

Each odd answer comes whole to every route that reads answers, and as a stream where one is mapped.
It ends in an answer, a valid error or a named end of the stream; the next call finds all in order.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from fault_server import DONE, END, FaultServer, chunk, http, stream_head
from hostile_site import Site

DEEP, DEEPER = b"[" * 300 + b"]" * 300, b"[" * 1010 + b"]" * 1010
MOST = b"18446744073709551615"
CHOICE = (
    b'{"choices":[{"index":0,"finish_reason":"stop","text":"x",%b"message":{"content":"x"}}]%b}'
)
ODD = {
    "error-too-deep": b'{"error":' + DEEPER + b"}",
    "error-message-too-deep": b'{"error":{"message":' + DEEPER + b"}}",
    "detail-too-deep": b'{"detail":' + DEEPER + b"}",
    "usage-too-large": CHOICE
    % (b"", b',"usage":{"prompt_tokens":%b,"completion_tokens":%b}' % (MOST, MOST)),
    "usage-too-deep": CHOICE % (b"", b',"usage":{"prompt_tokens":' + DEEP + b"}"),
    "reason-is-a-list": b'{"choices":[{"text":"x","finish_reason":[],"message":{}}]}',
    "reason-too-deep": b'{"choices":[{"text":"x","message":{},"finish_reason":' + DEEP + b"}]}",
    "index-is-a-word": b'{"choices":[{"text":"x","index":"first","message":{}}]}',
    "index-is-nothing": b'{"choices":[{"text":"x","index":null,"message":{}}]}',
    "index-is-endless": b'{"choices":[{"text":"x","index":1e308,"message":{}}]}',
    "model-too-deep": CHOICE % (b"", b',"model":' + DEEPER),
    "created-too-large": CHOICE % (b"", b',"created":1e308'),
    "content-too-deep": b'{"choices":[{"message":{"content":' + DEEP + b"}}]}",
    "content-is-a-number": b'{"choices":[{"message":{"content":7},"text":7}]}',
    "calls-are-words": b'{"choices":[{"message":{"tool_calls":["x"]},"text":"x"}]}',
    "call-name-too-deep": b'{"choices":[{"text":"x","message":{"tool_calls":[{"function":{"name":'
    + DEEP
    + b"}}]}}]}",
    "call-id-too-deep": b'{"choices":[{"text":"x","message":{"tool_calls":[{"id":'
    + DEEP
    + b',"function":{"name":"f"}}]}}]}',
    "choices-are-an-object": b'{"choices":{"0":{"text":"x"}}}',
    "choices-are-empty": b'{"choices":[]}',
    "a-list": b"[1]",
    "a-number": b"7",
    "null": b"null",
}
BODIES: dict[str, Any] = {
    "/v1/responses": lambda prompt: {"model": "odd", "input": prompt, "store": False},
    "/v1/chat/completions": lambda prompt: {
        "model": "odd",
        "messages": [{"role": "user", "content": prompt}],
    },
    "/forward": lambda prompt: {"text": prompt},
    "/forward_batch": lambda prompt: {"texts": [prompt]},
}
STREAMED = ("/v1/responses", "/v1/chat/completions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One odd answer at one route."""

    path: str
    name: str
    stream: bool
    failed: bool = False

    @property
    def prompt(self) -> str:
        return f"fault:{self.name}-{'stream' if self.stream else 'whole'}-{self.failed}:1"

    def __str__(self) -> str:
        kind = "stream" if self.stream else "500" if self.failed else "200"
        return f"{self.path}-{kind}-{self.name}"


CASES = [Case(path=path, name=name, stream=False) for path in BODIES for name in ODD]
CASES += [Case(path=path, name=name, stream=False, failed=True) for path in BODIES for name in ODD]
CASES += [Case(path=path, name=name, stream=True) for path in STREAMED for name in ODD]


def scripts() -> dict[str, Any]:
    """What the engine says to each case's prompt."""
    found: dict[str, Any] = {}
    for name, body in ODD.items():
        found[f"{name}-whole-False"] = (http(body),)
        found[f"{name}-whole-True"] = (http(body, status="500 Failed"),)
        events = b"data: " + body.replace(b'"message"', b'"delta"') + b"\n\n" + DONE
        found[f"{name}-stream-False"] = (stream_head() + chunk(events) + END,)
    return found


class Result:
    """What came to each case, and the log of the process."""

    def __init__(self) -> None:
        self.came: dict[str, tuple[int, str, bytes]] = {}
        self.log = ""


async def _run(site: Site) -> Result:
    result = Result()
    async with FaultServer(scripts()) as engine, aiohttp.ClientSession() as session:
        await site.publish({"odd": engine.url}, default=True)
        for case in CASES:
            await _in_order(site, session)
            fields = BODIES[case.path](case.prompt) | ({"stream": True} if case.stream else {})
            async with session.post(site.gateway.url + case.path, json=fields) as answer:
                kind = answer.headers.get("content-type", "")
                result.came[str(case)] = (answer.status, kind, await answer.read())
    result.log = site.gateway.log.read_text()
    return result


async def _in_order(site: Site, session: aiohttp.ClientSession) -> None:
    """A proper call is answered; a breaker may be open for a while."""
    end = time.monotonic() + 60
    while True:
        fields = BODIES["/v1/chat/completions"]("good")
        url = site.gateway.url + "/v1/chat/completions"
        async with session.post(url, json=fields) as answer:
            text = await answer.text()
        if answer.status == 200:
            assert json.loads(text)["choices"][0]["message"]["content"] == "good"
            return
        assert answer.status == 503, text
        assert time.monotonic() < end, text


@pytest.fixture(scope="module")
def result(campaign: Any) -> Result:
    return campaign(_run)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_odd_answer(result: Result, case: Case) -> None:
    status, kind, body = result.came[str(case)]
    assert body
    if kind.startswith("text/event-stream"):
        assert case.stream
        assert body.endswith(b"\n\n")
        last = body.rstrip().rpartition(b"\n\n")[2]
        named = b"event: response.", b"data: "
        assert last.startswith(named[0] if case.path == "/v1/responses" else named[1])
        return
    if status == 200 and case.path == "/v1/chat/completions":
        # Passed untouched, whatever it is.
        assert body == ODD[case.name]
        return
    answer = json.loads(body)
    if status >= 400:
        assert status != 500 or case.failed, body
        assert "error" in answer or "detail" in answer


def test_the_log_of_the_process_has_no_traceback(result: Result) -> None:
    at = result.log.find("Traceback")
    assert at < 0, result.log[max(0, at - 500) : at + 3000]
