"""Heads that were parsed before: what is cut out of them, and when no parser is asked any more."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from slipway_gateway.errors import BackendError
from slipway_gateway.hotpath.head import read_head
from slipway_gateway.hotpath.known import LIMIT, SIZE, KnownAnswer, cut, learn, learn_request
from slipway_gateway.hotpath.upstream import Connection

START = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"


class TestCut:
    def test_the_length_and_what_is_behind_the_head(self):
        for name in (b"Content-Length", b"content-length"):
            found = cut(START + name + b": 12\r\nAccept: */*\r\n\r\nrest")
            assert found is not None
            assert found[1:] == (12, b"rest")

    def test_heads_that_differ_in_their_length_alone_have_one_key(self):
        keys = {
            cut(START + b"Content-Length: %d\r\nA: b\r\n\r\n" % n)[0] for n in (0, 7, 1_234_567)
        }
        assert len(keys) == 1

    def test_heads_that_differ_otherwise_have_two(self):
        heads = (
            START + b"Content-Length: 12\r\n\r\n",
            START + b"content-length: 12\r\n\r\n",
            START + b"Content-Length: 12\r\nA: b\r\n\r\n",
            START + b"A: b\r\nContent-Length: 12\r\n\r\n",
            START + b"Content-Length: 12\r\nA: B\r\n\r\n",
        )
        assert len({cut(head)[0] for head in heads}) == len(heads)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            START,
            START + b"Content-Length: 12\r\n",
            START + b"\r\n",
            START + b"Content-Length: \r\n\r\n",
            START + b"Content-Length: +2\r\n\r\n",
            START + b"Content-Length: 1 2\r\n\r\n",
            START + b"Content-Length:12\r\n\r\n",
            START + b"Content-Length:  12\r\n\r\n",
            START + b"Content-Length: 12345678\r\n\r\n",
            START + "Content-Length: ١٢\r\n\r\n".encode(),
            START + b"CONTENT-LENGTH: 12\r\n\r\n",
            START + b"X-Length: 12\r\nContent-Length: 12\r\n\r\n",
            START + b"X-Content-Length: 12\r\n\r\n",
            START + b"A: %b\r\nContent-Length: 12\r\n\r\n" % (b"a" * SIZE),
        ],
    )
    def test_what_is_to_be_parsed(self, data):
        assert cut(data) is None


def test_what_is_known_is_bounded():
    known: dict[bytes, int] = {}
    for number in range(LIMIT + 1):
        learn(known, b"%d" % number, number)
    assert known == {b"%d" % LIMIT: LIMIT}


def test_the_head_of_a_request_is_known_unless_it_is_unique():
    dialect: Any = object()
    length = (b"content-length", b"5")
    for headers, count in (
        ([length], 1),
        ([length, (b"user-agent", b"x")], 1),
        ([(b"content-length", b"05")], 0),
        ([], 0),
        ([length, (b"x-request-id", b"abc")], 0),
        ([length, (b"traceparent", b"00-1-2-3")], 0),
    ):
        known: dict = {}
        learn_request(known, b"key", 5, dialect, read_head(headers), True)
        assert len(known) == count, headers
        for one in known.values():
            assert one.head.content_length is None


class Transport:
    def __init__(self):
        self.written, self.aborted = [], False

    def write(self, data):
        self.written.append(data)

    def abort(self):
        self.aborted = True


class Receiver:
    """Keeps what it is told."""

    def __init__(self):
        self.told: list[Any] = []

    def head(self, status, content_type, headers):
        self.told.append((status, content_type, headers))

    def read(self, data, ended):
        self.told.append((data, ended))

    def failed(self, error: BackendError):
        self.told.append(type(error).__name__)


class NoParser:
    def feed_data(self, data):
        raise AssertionError(f"parsed: {data!r}")


def whole(body: bytes, *lines: bytes, status: bytes = b"200 OK") -> bytes:
    given = (b"HTTP/1.1 " + status, b"content-type: application/json", *lines)
    return b"\r\n".join((*given, b"content-length: %d" % len(body), b"", body))


class TestAnswers:
    def asked(self, answers, data, *, parser=True):
        idle: deque = deque()
        connection = Connection(idle.append, answers)
        connection.connection_made(Transport())
        if not parser:
            connection._parser = NoParser()
        receiver = Receiver()
        connection.send(b"ask", receiver)
        connection.data_received(data)
        return receiver.told, list(idle) == [connection]

    def test_a_head_that_was_parsed_is_known_on_any_connection(self):
        answers: dict[bytes, KnownAnswer] = {}
        first = self.asked(answers, whole(b"{}", b"x-more: 1", b"date: today"))
        assert len(answers) == 1
        again = self.asked(answers, whole(b"{}", b"x-more: 1", b"date: today"), parser=False)
        other = self.asked(answers, whole(b"[1,2]", b"x-more: 1", b"date: today"), parser=False)
        lines = b"content-type: application/json\r\nx-more: 1\r\n"
        head = (200, b"application/json", lines)
        assert first == again == ([head, (b"{}", True)], True)
        assert other == ([head, (b"[1,2]", True)], True)

    @pytest.mark.parametrize(
        "data",
        [
            whole(b"{}", b"connection: close"),
            whole(b"{}", b"x-request-id: 12"),
            whole(b"{}", status=b"503 Service Unavailable"),
            whole(b"{}").replace(b"application/json", b"text/event-stream"),
            b"HTTP/1.1 100 Continue\r\n\r\n" + whole(b"{}"),
            b"\r\n\r\n" + whole(b"{}"),
        ],
    )
    def test_what_is_not_learnt(self, data):
        answers: dict[bytes, KnownAnswer] = {}
        self.asked(answers, data)
        assert answers == {}

    def test_a_body_that_is_cut_or_too_long_is_the_parsers(self):
        answers: dict[bytes, KnownAnswer] = {}
        self.asked(answers, whole(b"{}"))
        told, idle = self.asked(answers, whole(b"{} ")[:-1])
        assert told[-1] == (b"{}", False)
        assert not idle
        told, idle = self.asked(answers, whole(b"{}") + b"HTTP/1.1 200 OK\r\n\r\n")
        assert told[-1] == (b"{}", True)
        assert not idle
