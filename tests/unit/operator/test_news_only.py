"""What Kopf is told: news and deletions whole, echoes as places to go on from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.kinds import MODELS, Body
from slipway_operator.platforms.kubernetes.news import Sifted, sifted


def a_model(version: int, *, uid: str = "u") -> Body:
    metadata = {"name": "tiny", "uid": uid, "resourceVersion": str(version)}
    return {"metadata": metadata | {"managedFields": ["many"]}}


def line(type_: str, body: Body) -> bytes:
    return orjson.dumps({"type": type_, "object": body})


@pytest.fixture
def cache() -> Cache:
    cache = Cache()
    cache.put(MODELS, a_model(5))
    return cache


def told(cache: Cache, type_: str, body: Body) -> Any:
    return orjson.loads(sifted(line(type_, body), lambda found: not cache.knows(MODELS, found)))


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("type_", ["ADDED", "MODIFIED"])
def test_an_echo_is_a_place_to_go_on_from(cache: Cache, type_: str, version: int) -> None:
    place = {"metadata": {"resourceVersion": str(version)}}
    assert told(cache, type_, a_model(version)) == {"type": "BOOKMARK", "object": place}


@pytest.mark.parametrize(
    ("type_", "body"),
    [
        ("MODIFIED", a_model(6)),
        ("ADDED", a_model(4, uid="another of that name")),
        ("DELETED", a_model(5)),
        ("BOOKMARK", a_model(5)),
    ],
    ids=["newer", "another object", "deleted", "bookmark"],
)
def test_news_come_without_managed_fields(cache: Cache, type_: str, body: Body) -> None:
    found = told(cache, type_, body)
    assert found["type"] == type_
    kept = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    assert found["object"] == {"metadata": kept}


def test_an_error_is_told_as_it_is(cache: Cache) -> None:
    error = {"type": "ERROR", "object": {"kind": "Status", "code": 410}}
    assert told(cache, "ERROR", error["object"]) == error


async def test_lines_are_whole_wherever_the_network_cut_them() -> None:
    events = [line("MODIFIED", a_model(version)) for version in range(1, 6)]
    whole = b"".join(event + b"\n" for event in events)

    class Pieces:
        async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
            for start in range(0, len(whole), size):
                yield whole[start : start + size]

    for size in (7, 100, len(whole)):
        parts = [part async for part in Sifted(Pieces(), lambda body: True).iter_chunked(size)]
        assert all(part.endswith(b"\n") for part in parts)
        versions = [
            orjson.loads(text)["object"]["metadata"]["resourceVersion"]
            for text in b"".join(parts).splitlines()
        ]
        assert versions == ["1", "2", "3", "4", "5"]
