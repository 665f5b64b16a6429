"""schemathesis over every operation of the gateway's own OpenAPI document.

Requests that the document allows and requests that it forbids, generated per operation. None may be
answered by a 5xx of the gateway's making: 503 only where the document names it.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import Counter
from typing import Any

import aiohttp
import pytest
import requests
import schemathesis
from fault_server import FaultServer
from hostile_site import Site
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

SOAK = bool(os.environ.get("SLIPWAY_SOAK"))
CASES = 20_000 if SOAK else 2_000
SECONDS = 3600 if SOAK else 280
# An operation that waits by design (feedback of a request that is not in the log yet) is asked no
# longer than this.
LONGEST = 60.0 if SOAK else 10.0

# What PostgreSQL, UTF-8, numbers or paths may stumble over.
ODD = (
    *(
        "%00",
        "a%00b",
        "%ff%fe",
        "%ed%a0%80",
        "%F0%9F%98%80",
        "a" * 3000,
        "%2e%2e",
        "%2F",
        "-1",
        "0",
    ),
    *("9" * 30, "1e999", "NaN", "%27%20or%201=1--", "%25", "%0a", "%7b%7d", "2020-13-45", "null"),
)


class Result:
    """How many requests of each operation were answered, how, and what was wrong."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.odd: list[str] = []
        self.operations: list[str] = []
        self.log = ""


def _exercise(result: Result, document: dict[str, Any], url: str) -> None:
    """In a thread: hypothesis and its client are synchronous."""
    schema = schemathesis.openapi.from_dict(document)
    found = [one.ok() for one in schema.get_all_operations()]
    result.operations = [operation.label for operation in found]
    # One without parameters and body is always the same request.
    rich = [operation for operation in found if operation.body or [*operation.iter_parameters()]]
    # Half of each kind, and some more, because small operations run out of new cases.
    count = CASES * 7 // 10 // len(rich)
    with requests.Session() as session:
        for operation in found:
            wanted = count if operation in rich else 2
            for mode in GenerationMode:
                _exercise_one(result, operation, mode, url, session, wanted)


def _exercise_one(
    result: Result, operation: Any, mode: GenerationMode, url: str, session: Any, count: int
) -> None:
    documented = {str(status) for status in operation.definition.raw["responses"]}

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=not SOAK,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if result.seconds[operation.label] > LONGEST:
            return
        answer = session.request(**case.as_transport_kwargs(base_url=url), timeout=60)
        result.asked[operation.label] += 1
        result.seconds[operation.label] += answer.elapsed.total_seconds()
        result.statuses[answer.status_code] += 1
        told = _problem(operation.path, answer, documented)
        if told:
            result.wrong.append(f"{operation.label}: {told}; {case.as_curl_command()[:500]}")

    # Where there is nothing, nothing can be wrong.
    try:
        ask()
    except Exception as error:
        if mode is GenerationMode.POSITIVE or "Unsatisfiable" not in type(error).__name__:
            result.wrong.append(f"{operation.label}: {error!r}")


def _problem(path: str, answer: Any, documented: set[str]) -> str:
    if answer.status_code >= 500 and not (answer.status_code == 503 and "503" in documented):
        return f"{answer.status_code} {answer.text[:300]}"
    if "x-request-id" not in answer.headers:
        return f"{answer.status_code} without a request id"
    if answer.status_code >= 400 and path.startswith("/v1/") and answer.request.method != "HEAD":
        error = answer.json().get("error")
        if not isinstance(error, dict) or not {"message", "type", "code"} <= error.keys():
            return f"{answer.status_code} is not an OpenAI error: {answer.text[:300]}"
    return ""


def _plant(result: Result, document: dict[str, Any], url: str) -> None:
    """Each odd text as each parameter of each operation, whatever the document says of it."""
    with requests.Session() as session:
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                for odd in ODD:
                    target = re.sub(r"\{[^}]*\}", odd, path)
                    names = [
                        p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"
                    ]
                    # Together, and each alone: one that is refused hides the others.
                    together = "&".join(f"{name}={odd}" for name in names)
                    for query in {"", together, *(f"{name}={odd}" for name in names)}:
                        call = requests.Request(method.upper(), url).prepare()
                        # As it is: the client would tidy it up.
                        call.url = f"{url}{target}?{query}"
                        call.headers["content-type"] = "application/json"
                        answer = session.send(call, timeout=60)
                        told = _problem(path, answer, set(operation["responses"]))
                        if told:
                            result.odd.append(f"{method} {target[:200]}?{query[:99]}: {told}")


async def _run(site: Site) -> Result:
    result = Result()
    async with FaultServer() as engine, aiohttp.ClientSession() as session:
        await site.publish({"demo": engine.url}, default=True)
        async with session.get(site.gateway.url + "/openapi.json") as answer:
            document = await answer.json()
        await asyncio.to_thread(_plant, result, document, site.gateway.url)
        await asyncio.to_thread(_exercise, result, document, site.gateway.url)
    result.log = site.gateway.log.read_text()
    return result


@pytest.fixture(scope="module")
def result(campaign: Any) -> Result:
    return campaign(_run)


@pytest.mark.timeout(SECONDS)
def test_no_operation_fails(result: Result) -> None:
    print(f"{sum(result.statuses.values())} requests: {dict(result.statuses)}")
    assert result.wrong[:10] == []
    assert sum(result.statuses.values()) >= CASES


def test_odd_texts_in_every_parameter(result: Result) -> None:
    assert result.odd == []


def test_every_operation_was_asked(result: Result) -> None:
    assert set(result.operations) == result.asked.keys()
    assert len(result.operations) >= 12


def test_the_log_of_the_process_has_no_traceback(result: Result) -> None:
    at = result.log.find("Traceback")
    assert at < 0, result.log[max(0, at - 500) : at + 3000]
