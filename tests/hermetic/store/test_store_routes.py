"""Routes and heartbeats: revisions in order, liveness by the server's clock, trips told once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from slipway_contracts.route import (
    CHANNEL_GUARD,
    CHANNEL_ROUTES,
    BackendRoute,
    GuardTrip,
    Heartbeat,
    ModelRoute,
)
from slipway_store.connect import Listener, Pool
from slipway_store.errors import InvalidValue
from slipway_store.routes import (
    delete_route,
    guard_trips,
    heartbeat,
    live_heartbeats,
    lowest_watermark,
    read_route,
    read_routes,
    remove_heartbeat,
    trip_guard,
    write_route,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def a_route(model: str = "tiny", version: str = "v1") -> ModelRoute:
    backend = BackendRoute(version=version, weight=100, url=f"http://b/{version}")
    return ModelRoute(model=model, salt="s", backends=(backend,), system_prompt="Привет")


def a_beat(gateway: str = "g", **fields: object) -> Heartbeat:
    values = {"gateway": gateway, "revision": 1, "watermark": NOW, "at": NOW}
    return Heartbeat.model_validate(values | fields)


async def age(pool: Pool, gateway: str, seconds: float) -> None:
    await pool.execute(
        "UPDATE gateways SET at = clock_timestamp() - make_interval(secs => $2) WHERE gateway = $1",
        gateway,
        float(seconds),
    )


async def test_a_route_is_read_back_with_its_revision(pool: Pool) -> None:
    revision = await write_route(pool, a_route())
    assert await read_route(pool, "tiny") == a_route().model_copy(update={"revision": revision})
    assert await read_route(pool, "other") is None
    await write_route(pool, a_route("another"))
    assert [route.model for route in await read_routes(pool)] == ["another", "tiny"]


async def test_an_equal_body_is_not_written(pool: Pool) -> None:
    first = await write_route(pool, a_route())
    assert await write_route(pool, a_route()) == first
    assert await write_route(pool, a_route().model_copy(update={"revision": 77})) == first
    assert await write_route(pool, a_route(version="v2")) > first


async def test_deleting(pool: Pool) -> None:
    before = await write_route(pool, a_route())
    assert await delete_route(pool, "tiny")
    assert not await delete_route(pool, "tiny")
    assert await read_routes(pool) == []
    assert await write_route(pool, a_route()) > before


async def test_whoever_sees_a_revision_has_seen_all_before_it(pool: Pool) -> None:
    """Writers of several Models at once, a reader beside them: the highest revision that it sees
    never hides a lower one that appears later."""
    done = asyncio.Event()

    async def read() -> None:
        highest, seen = 0, set[int]()
        while not done.is_set():
            found = {route.revision for route in await read_routes(pool)}
            assert all(revision > highest for revision in found - seen)
            seen |= found
            highest = max(seen, default=0)

    async def write(model: str) -> None:
        for number in range(25):
            await write_route(pool, a_route(model, f"v{number}"))

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write(f"m{n}") for n in range(4)))
    done.set()
    await reader


async def test_writes_and_deletions_are_notified(pool: Pool, dsn: str) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    ready = asyncio.Event()
    async with Listener(
        dsn, [CHANNEL_ROUTES], lambda _, payload: told.put_nowait(payload), on_connect=ready.set
    ):
        await asyncio.wait_for(ready.wait(), 30)
        first = await write_route(pool, a_route())
        await write_route(pool, a_route())
        second = await write_route(pool, a_route(version="v2"))
        await delete_route(pool, "tiny")
        heard = [await asyncio.wait_for(told.get(), 30) for _ in range(3)]
    assert heard == [str(first), str(second), str(second)]


async def test_a_heartbeat_is_live_for_ten_seconds_of_the_servers_clock(pool: Pool) -> None:
    beat = a_beat("a", at=NOW + timedelta(days=9), in_flight={"v1": 2})
    assert await heartbeat(pool, beat) == 1
    assert await heartbeat(pool, a_beat("b", at=NOW - timedelta(days=9))) == 2
    assert await heartbeat(pool, beat) == 2
    live = await live_heartbeats(pool)
    assert [beat.gateway for beat in live] == ["a", "b"]
    assert live[0].in_flight == {"v1": 2}
    await age(pool, "a", 9)
    await age(pool, "b", 11)
    assert [beat.gateway for beat in await live_heartbeats(pool)] == ["a"]
    await heartbeat(pool, a_beat("b", revision=5))
    assert [beat.revision for beat in await live_heartbeats(pool)] == [1, 5]
    await remove_heartbeat(pool, "a")
    assert [beat.gateway for beat in await live_heartbeats(pool)] == ["b"]


async def test_gateways_that_never_came_back_are_forgotten(pool: Pool) -> None:
    await heartbeat(pool, a_beat("old"))
    await age(pool, "old", 2 * 86400)
    await heartbeat(pool, a_beat("new"))
    assert await pool.fetchval("SELECT count(*) FROM gateways") == 1


async def test_a_gateway_that_was_away_for_days_comes_back(pool: Pool) -> None:
    await heartbeat(pool, a_beat("g"))
    await age(pool, "g", 2 * 86400)
    await heartbeat(pool, a_beat("g", revision=3))
    assert [beat.revision for beat in await live_heartbeats(pool)] == [3]


async def test_the_watermark_is_that_of_the_slowest_live_gateway(pool: Pool) -> None:
    assert await lowest_watermark(pool) is None
    await heartbeat(pool, a_beat("a", watermark=NOW))
    await heartbeat(pool, a_beat("b", watermark=NOW - timedelta(seconds=30)))
    assert await lowest_watermark(pool) == NOW - timedelta(seconds=30)
    await age(pool, "b", 11)
    assert await lowest_watermark(pool) == NOW
    await age(pool, "a", 11)
    assert await lowest_watermark(pool) is None


async def test_a_trip_is_recorded_and_told_once(pool: Pool, dsn: str) -> None:
    trip = GuardTrip(
        model="tiny",
        rollout_id="r",
        gateway="g",
        candidate_requests=30,
        candidate_bad=20,
        at=NOW,
    )
    told: asyncio.Queue[str] = asyncio.Queue()
    ready = asyncio.Event()
    async with Listener(
        dsn, [CHANNEL_GUARD], lambda _, payload: told.put_nowait(payload), on_connect=ready.set
    ):
        await asyncio.wait_for(ready.wait(), 30)
        await trip_guard(pool, trip)
        await trip_guard(pool, trip.model_copy(update={"candidate_bad": 25}))
        await trip_guard(pool, trip.model_copy(update={"gateway": "h"}))
        assert [await asyncio.wait_for(told.get(), 30) for _ in range(2)] == ["tiny", "tiny"]
    assert await guard_trips(pool, "tiny", "r") == [trip, trip.model_copy(update={"gateway": "h"})]
    assert await guard_trips(pool, "tiny", "another") == []
    assert told.empty()


def test_the_digest_is_of_what_gateways_are_told() -> None:
    assert a_route().digest() == a_route().model_copy(update={"revision": 9}).digest()
    assert a_route().digest() != a_route(version="v2").digest()


async def test_a_prompt_that_postgresql_cannot_hold_is_said(pool: Pool) -> None:
    with pytest.raises(InvalidValue, match="NUL"):
        await write_route(pool, a_route().model_copy(update={"system_prompt": "a\0b"}))
    assert await read_routes(pool) == []


@pytest.mark.parametrize("text", ["", "\x01", "🚀", '{"a": "\\u0000"}'])
async def test_any_prompt_is_stored(pool: Pool, text: str) -> None:
    await write_route(pool, a_route().model_copy(update={"system_prompt": text}))
    stored = await read_route(pool, "tiny")
    assert stored is not None
    assert stored.system_prompt == text
