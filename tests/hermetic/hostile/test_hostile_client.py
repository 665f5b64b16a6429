"""Hostile clients: each row of the corpus against llhttp's own verdict on the same bytes.

Every row is sent in three ways (with the next request in one write, before it, and in small
pieces), always followed by a well-formed request that must get its own answer or a closed
connection. Never an answer of another request, never a 5xx of ours, never a hang.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from client_verdict import CONCURRENCY, WAYS, Sent, problems, send
from fault_server import FaultServer
from hostile_site import Site, bounded
from http_corpus import ROW, Row, rows

ROWS = rows()


class Result:
    """The campaign: what came back by (row, way), and which prompts the engine saw."""

    def __init__(self) -> None:
        self.sent: dict[tuple[str, str], Sent] = {}
        self.engine: Counter[str] = Counter()
        self.alive = False
        self.log = ""


async def _run(site: Site) -> Result:
    result = Result()
    async with FaultServer() as engine:
        await site.publish({"echo": engine.url})
        keys = list(itertools.product(ROWS, WAYS))
        work = (send(site, row, way, number) for number, (row, way) in enumerate(keys))
        for (row, way), sent in zip(keys, await bounded(work, CONCURRENCY), strict=True):
            result.sent[row.name, way] = sent
        result.engine = engine.seen.copy()
        after = await send(site, Row(name="last", data=b""), "after", 9_999_999)
        result.alive = after.talk.data.startswith(b"HTTP/1.1 200")
    result.log = site.gateway.log.read_text()
    return result


@pytest.fixture(scope="module")
def result(campaign: Any) -> Result:
    return campaign(_run)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row(result: Result, row: Row) -> None:
    wrong = [
        f"{way}: {problem}"
        for way in WAYS
        for problem in problems(row, result.sent[row.name, way], result.engine)
    ]
    assert not wrong, "\n".join([repr(row.data[:300]), *wrong])


def test_the_gateway_lives(result: Result) -> None:
    assert result.alive


def test_the_log_of_the_process_has_no_traceback(result: Result) -> None:
    at = result.log.find("Traceback")
    assert at < 0, result.log[max(0, at - 500) : at + 4000]


def test_no_prompt_reached_the_engine_more_often_than_it_was_sent(result: Result) -> None:
    sent = b"".join(sent.data for sent in result.sent.values())
    # The row in chunks of one byte keeps its placeholder.
    seen = {prompt: count for prompt, count in result.engine.items() if prompt != ROW.decode()}
    assert [p for p, count in seen.items() if count > sent.count(p.encode())] == []


def test_the_table_is_large_enough() -> None:
    assert len(ROWS) >= 150
    assert len({row.name for row in ROWS}) == len(ROWS)
