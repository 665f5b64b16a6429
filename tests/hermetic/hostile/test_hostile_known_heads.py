"""Heads that a gateway has parsed before: whatever it knows, the same bytes get the same answers.

Every row of the corpus loses its own id, so that its head can come again, and is sent on several
connections, each time behind a well-formed request: at first nobody knows its head, then whoever
could learn it does. Then by hand: bodies in pieces, pipelines, lengths and keys that change.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from fault_server import FaultServer
from hostile_site import Site, bounded, numbered
from http_corpus import PATH, ROW, SMUGGLED, Row, chat, marker, rows
from raw_http import NotHttpError, Response, read_responses, talk

TIMES = 3
CONCURRENCY = 24
DEADLINE = 40.0
Answers = list[tuple[int, str, bytes]]


def ask(token: bytes, *lines: bytes, body: bytes | None = None) -> bytes:
    """A well-formed chat; its head is the same for each token of a length."""
    body = chat(token) if body is None else body
    given = (b"POST " + PATH + b" HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(body), *lines)
    return b"\r\n".join((*given, b"", body))


def close(token: bytes) -> bytes:
    return ask(token, b"Connection: close")


def told(response: Response) -> tuple[int, str, bytes]:
    """What two answers to the same bytes have in common."""
    kind = response.header("content-type") or ""
    if response.status == 200 and b"choices" in response.body:
        return 200, kind, response.json()["choices"][0]["message"]["content"].encode()
    return response.status, kind, b""


async def answers(port: int, pieces: list[bytes], *, after: tuple[bytes, ...] = ()) -> Answers:
    got = await talk(port, pieces, deadline=DEADLINE, after=after)
    assert got.closed, f"the connection is open after {DEADLINE} s"
    try:
        return [told(response) for response in read_responses(got.data)]
    except NotHttpError:
        # Behind a HEAD request, whose answer has no body, as a rule.
        return [(0, "", b"")]


def nameless(row: Row, number: int) -> bytes:
    """The row without an id of its own, with prompts that no other row has."""
    data = row.data.replace(b"x-request-id: ", b"x-nobodys-no: ")
    return data.replace(ROW, numbered("r", number)).replace(SMUGGLED, numbered("s", number))


class Campaign:
    """By the row's name: the answers of each time, and how often the engine saw its prompt."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answers]] = {}
        self.seen: dict[str, list[int]] = {}
        self.log = ""


async def _corpus(site: Site) -> Campaign:
    result = Campaign()
    async with FaultServer() as engine:
        await site.publish({"echo": engine.url})

        async def one(number: int, row: Row) -> None:
            data, prompt = nameless(row, number), numbered("r", number).decode()
            result.answers[row.name], result.seen[row.name] = [], [0]
            for _ in range(TIMES):
                got = await answers(site.port, [ask(b"first")], after=(data + marker(),))
                result.answers[row.name].append(got)
                result.seen[row.name].append(engine.seen[prompt])

        await bounded((one(n, row) for n, row in enumerate(rows())), CONCURRENCY)
    result.log = site.gateway.log.read_text()
    return result


@pytest.fixture(scope="module")
def corpus(campaign: Any) -> Campaign:
    return campaign(_corpus)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_a_known_row(corpus: Campaign, row: Row) -> None:
    first, *later = corpus.answers[row.name]
    assert later == [first] * (TIMES - 1), nameless(row, 0)[:300]
    counts = corpus.seen[row.name]
    assert len({after - before for before, after in itertools.pairwise(counts)}) == 1


def test_the_log_has_no_traceback(corpus: Campaign) -> None:
    assert "Traceback" not in corpus.log


@pytest.fixture
def known(campaign: Any) -> Any:
    """``known(work)`` → what ``await work(port, engine)`` returns; ``ask``'s head is known."""

    def run(work: Any, **settings: Any) -> Any:
        async def whole(site: Site) -> Any:
            async with FaultServer() as engine:
                await site.publish({"echo": engine.url})
                for _ in range(2):
                    await answers(site.port, [ask(b"one")], after=(ask(b"two"), close(b"end")))
                return await work(site.port, engine)

        return campaign(whole, **settings)

    return run


def texts(got: Answers) -> list[bytes]:
    assert {status for status, _, _ in got} == {200}, got
    return [text for _, _, text in got]


def test_bodies_in_pieces_and_of_other_lengths(known: Any) -> None:
    async def work(port: int, engine: FaultServer) -> list[Answers]:
        found = []
        for text in (b"a", b"ten letters", b"x" * 3000):
            whole = ask(text)
            start = whole.index(b"\r\n\r\n") + 4
            last = len(whole) - 1
            for cuts in ([start], [start, start + 1], [start + 1], [start - 1], [5, last]):
                edges = [0, *cuts, len(whole)]
                parts = [whole[a:b] for a, b in itertools.pairwise(edges)]
                found.append(await paced(port, [ask(b"first"), *parts, close(b"last")]))
        return found

    found = known(work)
    expected = [
        [b"first", text, b"last"] for text in (b"a", b"ten letters", b"x" * 3000) for _ in range(5)
    ]
    assert [texts(got) for got in found] == expected


async def paced(port: int, parts: list[bytes]) -> Answers:
    """With pauses, so that most parts are a read of their own; no answer may depend on that."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.03)
        data = await asyncio.wait_for(reader.read(), DEADLINE)
    finally:
        writer.close()
    return [told(response) for response in read_responses(data)]


def test_what_is_pipelined_behind_a_known_head_is_answered_in_order(known: Any) -> None:
    async def work(port: int, engine: FaultServer) -> list[Answers]:
        line = ask(b"aaa") + ask(b"bbb") + ask(b"ccccc") + close(b"ddd")
        found = []
        for cut in range(1, len(line), 23):
            got = await paced(port, [ask(b"first"), line[:cut], line[cut:]])
            found.append(got)
        return found

    for got in known(work):
        assert texts(got) == [b"first", b"aaa", b"bbb", b"ccccc", b"ddd"]


LENGTHS = (b"+18", b"-1", b"0x12", b"1 8", b"18, 18", b"", b"99999999999999999999", b"18\r\n 1")


def test_a_length_that_is_none_is_refused_though_the_rest_is_known(known: Any) -> None:
    async def work(port: int, engine: FaultServer) -> dict[bytes, Answers]:
        name, whole = b"Content-Length: ", ask(b"xyz")
        start = whole.index(name) + len(name)
        end = whole.index(b"\r", start)
        found = {}
        for length in LENGTHS:
            odd = whole[:start] + length + whole[end:]
            found[length] = await answers(port, [ask(b"first")], after=(odd,))
        return found

    for length, got in known(work).items():
        assert [status for status, _, _ in got] == [200, 400], length


def test_a_body_over_the_limit_is_refused_before_it_comes(known: Any) -> None:
    async def work(port: int, engine: FaultServer) -> Answers:
        head = ask(b"x", body=b"x" * 70_000).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        return await answers(port, [ask(b"first")], after=(head,))

    assert [status for status, _, _ in known(work, body_limit=65_536)] == [200, 413]


def test_a_second_length_is_refused(known: Any) -> None:
    async def work(port: int, engine: FaultServer) -> Answers:
        twice = ask(b"xyz").replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n")
        return await answers(port, [ask(b"first")], after=(twice,))

    assert [status for status, _, _ in known(work)] == [200, 400]
