"""Hostile engines: each fault of the table ends in an OpenAI error, a marked end, or the answer.

Every fault has an engine and a Model of its own. After it the same client connection asks another
Model, and the faulty engine's Model is asked again, so that bytes left on a kept connection show as
a wrong answer. Beside it all another Model serves as if nothing were.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from fault_server import FaultServer
from fault_table import Ends, Fault, rows
from gateway_process import eventually
from hostile_site import Site, bounded, numbered
from raw_http import NotHttpError, Response, Talk, read_responses, talk

ROWS = rows()
CONCURRENCY = 16
DEADLINE = 60.0
GROWTH = 64 * 1024 * 1024
CHAT = "/v1/chat/completions"

STORMS = ("status-500-html", "status-503-openai", "status-429-openai", "reset-before-head")
STORM = 100


@dataclass(slots=True, kw_only=True)
class Outcome:
    """One fault: its call (and the next on the connection), three calls after it, its log."""

    request_id: str
    talk: Talk = field(default_factory=Talk)
    seen: int = 0
    after: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)


class Beside:
    """Another Model's clients, asking on and on."""

    def __init__(self, url: str) -> None:
        self.asked = 0
        self.failures: list[str] = []
        self._url = url + CHAT
        self._stop = False

    async def run(self, clients: int = 3) -> None:
        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(self._client(session, n) for n in range(clients)))

    def stop(self) -> None:
        self._stop = True

    async def _client(self, session: aiohttp.ClientSession, number: int) -> None:
        while not self._stop:
            self.asked += 1
            prompt = f"beside-{number}-{self.asked}"
            wrong = await echoes(session, self._url, "beside", prompt, stream=self.asked % 2 == 0)
            if wrong:
                self.failures.append(wrong)
            await asyncio.sleep(0.02)


async def echoes(
    session: aiohttp.ClientSession, url: str, model: str, prompt: str, *, stream: bool = False
) -> str:
    """What is wrong with the answer to one proper call; empty when it is its own."""
    try:
        data = body(model, prompt, stream=stream)
        async with session.post(url, data=data, headers={"x-request-id": prompt}) as answer:
            text = await answer.text()
    except (aiohttp.ClientError, ConnectionError) as error:
        return f"{prompt}: {error!r}"
    if answer.status != 200 or answer.headers["x-request-id"] != prompt:
        return f"{prompt}: {answer.status} {text[:300]}"
    if stream:
        payloads = [json.loads(line[6:]) for line in text.split("\n\n")[:-2]]
        got = "".join(payload["choices"][0]["delta"]["content"] for payload in payloads)
    else:
        got = json.loads(text)["choices"][0]["message"]["content"]
    return "" if got == prompt else f"{prompt}: the answer is {got!r}"


def body(model: str, prompt: str, *, stream: bool) -> bytes:
    """A chat."""
    fields = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    return json.dumps(fields | ({"stream": True} if stream else {})).encode()


def request(request_id: str, data: bytes, *lines: str) -> bytes:
    """Its bytes."""
    head = (f"POST {CHAT} HTTP/1.1", "host: x", f"x-request-id: {request_id}", *lines)
    return "\r\n".join((*head, f"content-length: {len(data)}", "", "")).encode() + data


def prompt_of(fault: Fault, outcome: Outcome) -> str:
    return f"fault:{fault.name}:{outcome.request_id}"


async def _play(site: Site, engine: FaultServer, fault: Fault, outcome: Outcome) -> None:
    prompt = prompt_of(fault, outcome)
    first = request(outcome.request_id, body(fault.name, prompt, stream=fault.stream))
    mark = outcome.request_id.replace("f", "m")
    second = request(mark, body("beside", mark, stream=False), "connection: close")
    outcome.talk = await talk(site.port, [first], after=[second], deadline=DEADLINE)
    outcome.seen = engine.seen[prompt]
    await asyncio.sleep(fault.rest)
    async with aiohttp.ClientSession() as session:
        for number in range(3):
            again = f"{outcome.request_id}-again-{number}"

            async def healthy(again: str = again) -> str:
                wrong = await echoes(session, site.gateway.url + CHAT, fault.name, again)
                # A breaker may be open for a while; a wrong answer is never right.
                return "later" if ": 503 " in wrong else wrong or "right"

            end = time.monotonic() + 30
            while (said := await healthy()) == "later" and time.monotonic() < end:
                await asyncio.sleep(0.3)
            outcome.after.append(said)


async def _storm(site: Site, name: str) -> list[str]:
    """Many at once to an engine that only fails; what is wrong with any of their ends."""

    async def one(number: int) -> str:
        request_id = f"storm-{name}-{number}"
        data = body(name, f"fault:{name}:{number}", stream=number % 2 == 0)
        call = request(request_id, data, "connection: close")
        got = await talk(site.port, [call], deadline=DEADLINE)
        if not got.closed:
            return f"{request_id} hangs"
        (answer,) = read_responses(got.data)
        own = answer.header("x-request-id") == request_id
        return _failure(answer) if own else f"its id is {answer.header('x-request-id')}"

    return [wrong for wrong in await asyncio.gather(*map(one, range(STORM))) if wrong]


class Result:
    """The campaign."""

    def __init__(self) -> None:
        self.storms: dict[str, list[str]] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.beside: Beside | None = None
        self.grown = 0
        self.log = ""


async def _run(site: Site) -> Result:
    result = Result()
    scripts = {fault.name: fault.script for fault in ROWS}
    async with contextlib.AsyncExitStack() as stack:
        engines = {f.name: await stack.enter_async_context(FaultServer(scripts)) for f in ROWS}
        calm = await stack.enter_async_context(FaultServer())
        urls = {name: engine.url for name, engine in engines.items()}
        await site.publish(urls | {"beside": calm.url})
        beside = result.beside = Beside(site.gateway.url)
        running = asyncio.create_task(beside.run())
        await eventually(lambda: beside.asked > 50, what="traffic beside")
        before = site.memory()[0]
        for number, fault in enumerate(ROWS):
            request_id = numbered("f", number).decode()
            result.outcomes[fault.name] = Outcome(request_id=request_id)
        played = (_play(site, engines[f.name], f, result.outcomes[f.name]) for f in ROWS)
        await bounded(played, CONCURRENCY)
        for name in STORMS:
            result.storms[name] = await _storm(site, name)
        beside.stop()
        await running
        result.grown = site.memory()[1] - before
    found = await site.rows([outcome.request_id for outcome in result.outcomes.values()])
    for outcome in result.outcomes.values():
        outcome.rows = found[outcome.request_id]
    result.log = site.gateway.log.read_text()
    return result


@pytest.fixture(scope="module")
def result(campaign: Any) -> Result:
    return campaign(_run)


# -- the verdict ---------------------------------------------------------------------------------


def problems(fault: Fault, outcome: Outcome) -> list[str]:
    """What is wrong with the end of one fault."""
    if not outcome.talk.closed:
        return [f"hangs: open after {DEADLINE} s; came {outcome.talk.data[-300:]!r}"]
    try:
        responses = read_responses(outcome.talk.data)
    except NotHttpError as error:
        return [f"the answer is not HTTP: {error}"]
    if not responses:
        return ["no answer"]
    wrong = _judge_answer(fault, outcome, responses[0])
    wrong += _judge_next(outcome, responses)
    wrong += [f"afterwards {said}" for said in outcome.after if said != "right"]
    return wrong + _judge_rows(fault, outcome)


def _judge_answer(fault: Fault, outcome: Outcome, answer: Response) -> list[str]:
    wrong = [f"passed on: {name!r}" for name, _ in answer.headers if name in _NEVER]
    if answer.header("x-request-id") != outcome.request_id:
        wrong.append(f"its id is {answer.header('x-request-id')}")
    if not answer.whole:
        wrong.append("the answer is cut, without a word")
    failed = _failure(answer)
    if fault.ends is Ends.FAILS and failed:
        wrong.append(failed)
    if fault.ends is Ends.PASSES:
        if answer.status != 200:
            wrong.append(f"{answer.status}, not 200: {answer.body[:200]!r}")
        elif fault.body is not None and answer.body != fault.body:
            wrong.append(f"changed on the way: {answer.body[:300]!r}")
    if fault.ends is Ends.EITHER and answer.status not in (200, 206) and failed:
        wrong.append(failed)
    return wrong


_NEVER = {b"set-cookie", b"keep-alive", b"te", b"upgrade", b"location", b"link"}


def _failure(answer: Response) -> str:
    """Why this is no proper failure; empty when it is one."""
    payload = answer.body
    if (answer.header("content-type") or "").lower().startswith("text/event-stream"):
        events = answer.events()
        payload = events[-1] if events else b""
        if not answer.body.endswith(b"\n\n"):
            return f"the last event is not ended: {answer.body[-100:]!r}"
    elif answer.status < 400:
        return f"{answer.status} is no error: {payload[:200]!r}"
    try:
        error = json.loads(payload)["error"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return f"{answer.status}: not an OpenAI error: {payload[:200]!r}"
    if not isinstance(error, dict) or not {"message", "type", "code"} <= error.keys():
        return f"{answer.status}: not an OpenAI error: {payload[:200]!r}"
    return ""


def _judge_next(outcome: Outcome, responses: list[Response]) -> list[str]:
    mark = outcome.request_id.replace("f", "m")
    if len(responses) == 1:
        return []
    second = responses[1]
    right = second.status == 200 and second.header("x-request-id") == mark
    right = right and second.json()["choices"][0]["message"]["content"] == mark
    wrong = (
        [] if right else [f"the next on the connection got {second.status} {second.body[:200]!r}"]
    )
    return wrong if len(responses) == 2 else [*wrong, "more answers than requests"]


def _judge_rows(fault: Fault, outcome: Outcome) -> list[str]:
    wrong = []
    attempts = [row["attempt"] for row in outcome.rows]
    if attempts != list(range(1, len(attempts) + 1)) or len(attempts) > 2:
        wrong.append(f"attempts in the log: {attempts}")
    if len(attempts) > max(outcome.seen, 1):
        wrong.append(f"{len(attempts)} rows of {outcome.seen} calls at the engine")
    last = outcome.rows[-1]
    engines_own = fault.name.startswith("status-4")
    if fault.ends is Ends.FAILS and not (last["error"] or engines_own):
        wrong.append("the row of a failure says no error")
    if fault.ends is Ends.PASSES and last["error"]:
        wrong.append(f"the row of a good answer says error: {last['message']}")
    if not fault.tokens and (last["prompt_tokens"], last["completion_tokens"]) != (None, None):
        wrong.append(f"the log believes {last['prompt_tokens']}, {last['completion_tokens']}")
    return wrong


@pytest.mark.parametrize("fault", ROWS, ids=lambda fault: fault.name)
def test_a_fault(result: Result, fault: Fault) -> None:
    wrong = problems(fault, result.outcomes[fault.name])
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", STORMS)
def test_a_storm(result: Result, name: str) -> None:
    assert result.storms[name] == []


def test_another_model_is_unmoved(result: Result) -> None:
    assert result.beside is not None
    assert result.beside.failures == []
    assert result.beside.asked > 100


def test_the_process_does_not_grow(result: Result) -> None:
    assert result.grown < GROWTH


def test_the_log_of_the_process_has_no_traceback(result: Result) -> None:
    at = result.log.find("Traceback")
    assert at < 0, result.log[max(0, at - 500) : at + 3000]


def test_the_table_is_large_enough() -> None:
    assert len(ROWS) >= 30
    assert len({fault.name for fault in ROWS}) == len(ROWS)
