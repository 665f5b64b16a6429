"""The answer cache: the same question of the same tenant and version, bounded in bytes and time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_gateway.ask import Ask
from slipway_gateway.cache import ENTRY_BYTES, AnswerCache, Question

QUESTION = Question(tenant="t", version="v1", path="/v1/completions", body=b"question")


def test_the_same_question_has_the_same_answer_while_it_is_young():
    cache = AnswerCache(100_000, ttl=10)
    assert cache.lookup(QUESTION, 0) is None
    cache.store(QUESTION, b"answer", 0)
    assert cache.lookup(QUESTION, 9.9) == b"answer"
    assert cache.lookup(QUESTION, 10) is None
    assert (cache.size, cache.hits, cache.misses) == (0, 1, 2)


@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "u"},
        {"version": "v2"},
        {"path": "/v1/chat/completions"},
        {"body": b"question "},
        {"tenant": "tv", "version": "1"},
    ],
)
def test_any_difference_is_another_question(other):
    cache = AnswerCache(100_000, ttl=10)
    cache.store(QUESTION, b"answer", 0)
    assert cache.lookup(replace(QUESTION, **other), 0) is None


@pytest.mark.parametrize(
    ("limit", "greedy", "stream", "takes"),
    [(1, True, False, True), (0, True, False, False), (1, False, False, False),
     (1, True, True, False)],
)  # fmt: skip
def test_only_temperature_zero_and_no_streams_and_only_with_room(limit, greedy, stream, takes):
    ask = Ask(model="m", path="/p", body=b"", greedy=greedy, stream=stream)
    assert AnswerCache(limit, 1).takes(ask) == takes


def test_what_was_used_longest_ago_goes_first():
    room = 10 * (100 + ENTRY_BYTES)
    cache = AnswerCache(room, ttl=10)
    questions = [replace(QUESTION, body=bytes([number])) for number in range(11)]
    for question in questions[:10]:
        cache.store(question, b"x" * 100, 0)
    assert cache.lookup(questions[0], 1) is not None
    cache.store(questions[10], b"x" * 100, 1)
    assert cache.lookup(questions[0], 1) is not None
    assert cache.lookup(questions[1], 1) is None


def test_an_answer_too_large_is_not_kept():
    cache = AnswerCache(8000, ttl=10)
    cache.store(QUESTION, b"x" * 1000, 0)
    assert cache.lookup(QUESTION, 0) is None


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 900), st.floats(0, 5), st.booleans())),
    st.integers(0, 9000),
)
def test_never_over_its_bytes_and_never_another_answer(steps, limit):
    cache, now, kept = AnswerCache(limit, ttl=10), 0.0, {}
    for number, size, pause, stores in steps:
        now += pause
        question = replace(QUESTION, body=str(number).encode())
        if stores:
            kept[number] = (now, bytes([number]) * size)
            cache.store(question, kept[number][1], now)
        else:
            found = cache.lookup(question, now)
            if found is not None:
                at, body = kept[number]
                assert (found, now - at < 10) == (body, True)
        assert 0 <= cache.size <= limit
