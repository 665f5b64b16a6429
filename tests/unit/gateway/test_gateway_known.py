"""Heads that were parsed before: what is cut out of them, and when no parser is asked any more."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from slipway_gateway.errors import BackendError
from slipway_gateway.hotpath.head import read_head
from slipway_gateway.hotpath.known import LIMIT, SIZE, Reader, cut, lasting
from slipway_gateway.hotpath.upstream import Connection

START = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"


class TestCut:
    def test_the_length_and_where_the_body_begins(self):
        for name in (b"Content-Length", b"content-length"):
            head = START + name + b": 12\r\nAccept: */*\r\n\r\n"
            found = cut(head + b"rest")
            assert found is not None
            assert found[1:] == (12, len(head))

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


def message(length: bytes, *more: bytes, body: bytes = b"{}") -> bytes:
    lines = (START + b"Content-Length: " + length, *more, b"", body)
    return b"\r\n".join(lines)


def learnt(known: dict, data: bytes, meaning: Any) -> Reader:
    """A connection's reader that has just learnt this head."""
    reader: Reader = Reader(known)
    assert reader.read(data) is None
    assert reader.may_learn
    reader.learn(data, meaning)
    return reader


class TestReader:
    def test_what_one_connection_learns_all_know(self):
        known: dict = {}
        learnt(known, message(b"2"), "this")
        other: Reader = Reader(known)
        # By its key, and then by what was said last.
        for length, body in ((b"2", b"{}"), (b"3", b"{ }"), (b"1234567", b"{"), (b"0", b"")):
            data = message(length, body=body)
            assert other.read(data) == "this"
            assert other.length == int(length)
            assert data[other.start :] == body

    @pytest.mark.parametrize(
        "data",
        [
            message(b"2", b"A: b"),
            message(b""),
            message(b"+2"),
            message(b"2 "),
            message(b" 2"),
            message(b"12345678"),
            message(b"1" * 100_000),
            message("٢".encode()),
            message(b"2")[:-2].replace(b"\r\n\r\n", b"\r\n"),
            message(b"2").replace(b"POST", b"PUT"),
            message(b"2").replace(b"Content", b"content"),
            START + b"Content-Length: 2",
            START + b"Content-Length: ",
            START[:-3],
            b"",
        ],
    )
    def test_another_head_is_not_the_last_one(self, data):
        known: dict = {}
        reader = learnt(known, message(b"2"), "this")
        assert reader.read(message(b"2")) == "this"
        assert reader.read(data) is None
        assert reader.may_learn == (cut(data) is not None)
        assert reader.read(message(b"2")) == "this"

    def test_one_connection_may_change_its_heads(self):
        known: dict = {}
        learnt(known, message(b"2"), "this")
        reader = learnt(known, message(b"2", b"A: b"), "that")
        for _ in range(2):
            assert reader.read(message(b"3")) == "this"
            assert reader.read(message(b"4", b"A: b")) == "that"

    def test_what_is_known_is_bounded(self):
        known: dict = {}
        for number in range(LIMIT + 1):
            learnt(known, message(b"2", b"A: %d" % number), number)
        assert [meaning for _, meaning in known.values()] == [LIMIT]


def test_the_head_of_a_request_lasts_unless_it_is_unique():
    dialect: Any = object()
    length = (b"content-length", b"5")
    for headers, lasts in (
        ([length], True),
        ([length, (b"user-agent", b"x")], True),
        ([(b"content-length", b"05")], False),
        ([], False),
        ([length, (b"x-request-id", b"abc")], False),
        ([length, (b"traceparent", b"00-1-2-3")], False),
    ):
        known = lasting(dialect, read_head(headers), 5, True)
        assert (known is not None) == lasts, headers
        assert known is None or known.head.content_length is None


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
        answers: dict = {}
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
        answers: dict = {}
        self.asked(answers, data)
        assert answers == {}

    def test_a_body_that_is_cut_or_too_long_is_the_parsers(self):
        answers: dict = {}
        self.asked(answers, whole(b"{}"))
        told, idle = self.asked(answers, whole(b"{} ")[:-1])
        assert told[-1] == (b"{}", False)
        assert not idle
        told, idle = self.asked(answers, whole(b"{}") + b"HTTP/1.1 200 OK\r\n\r\n")
        assert told[-1] == (b"{}", True)
        assert not idle
