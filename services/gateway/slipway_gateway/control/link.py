"""The link to PostgreSQL: routes and keys in, heartbeats, guard trips and the attempts log out.

One loop a second does all of it, and NOTIFY wakes it at once. PostgreSQL may be away at any time,
from the start on: the loop tries again, requests never wait for it. ``heard`` is when it last
answered; the fence (routing.is_fenced) goes by that. A change is therefore applied within a second
even when its NOTIFY is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr

from slipway_contracts.route import CHANNEL_KEYS, CHANNEL_ROUTES, GuardTrip, Heartbeat
from slipway_gateway.attempts.shipper import Shipper
from slipway_gateway.attempts.tending import tend_forever
from slipway_gateway.control.copy import load_copy, save_copy
from slipway_gateway.control.table import RouteTable
from slipway_gateway.guard import Tripped
from slipway_gateway.tenants.keys import Keys
from slipway_store import routes as store
from slipway_store.connect import Listener, Pool, open_pool
from slipway_store.ending import end_if_cancelled
from slipway_store.keys import Endpoint, insert_key, load_directory, mark_used
from slipway_store.partitions import ensure_partitions

logger = logging.getLogger(__name__)

T = TypeVar("T")

PERIOD = 1.0
TIMEOUT = 5.0
RETRY = 0.5
KEYS_PERIOD = 5.0
KEYS_COPY_PERIOD = 60.0
ROUTES = "routes.json"
KEYS = "keys.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstKey:
    """A key that the settings give: stored if its id is unknown."""

    name: str
    secret: SecretStr
    endpoints: tuple[Endpoint, ...] = ()


class Link:
    """Start it with ``run``; everything else is read from memory."""

    def __init__(
        self,
        dsn: str,
        *,
        gateway: str,
        folder: Path,
        table: RouteTable,
        keys: Keys,
        shipper: Shipper,
        retention_days: int = 0,
        in_flight: Callable[[], dict[str, int]],
        first_keys: Sequence[FirstKey] = (),
        pepper: str = "",
    ) -> None:
        self._dsn = dsn
        self._gateway = gateway
        self._folder = folder
        self._table = table
        self._keys = keys
        self._shipper = shipper
        self._retention_days = retention_days
        self._in_flight = in_flight
        self._first_keys = list(first_keys)
        self._pepper = pepper
        self._trips: list[GuardTrip] = []
        self._wake = asyncio.Event()
        self._keys_changed = True
        self._keys_due = float("-inf")
        self._keys_copy_due = float("-inf")
        self.pool: Pool | None = None
        self.heard = float("-inf")
        # Gateways that lived at the last heartbeat, this one too.
        self.peers = 1

    def restore(self) -> None:
        """At start, before PostgreSQL is asked: what the last process of this slot knew."""
        routes, keys = load_copy(self._folder / ROUTES), load_copy(self._folder / KEYS)
        if routes is not None:
            self._table.restore(routes)
        if isinstance(keys, dict) and isinstance(keys.get("at"), float):
            age = time.time() - keys["at"]
            tenants = keys.get("tenants")
            self._keys.restore(keys.get("keys"), time.monotonic(), age=age, tenants=tenants)

    async def run(self) -> None:
        """Until cancelled."""
        async with Listener(
            self._dsn, (CHANNEL_ROUTES, CHANNEL_KEYS), self._notified, on_connect=self._reconnected
        ):
            pool = await self._connect()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._ship_forever(pool), name="shipper")
                tasks.create_task(self._beat_forever(pool), name="heartbeat")
                tasks.create_task(tend_forever(pool, self._retention_days), name="retention")

    async def leave(self, timeout: float) -> None:
        """At exit: ship what is left and take the heartbeat away, as far as PostgreSQL lets us.

        Tries again until ``timeout`` seconds are over: a segment on a volume that ends with its
        pod has no next start.
        """
        if self.pool is None:
            return
        leaving = asyncio.ensure_future(self._say_goodbye(self.pool))
        # Not a timeout around it: a frozen server would first have to agree to a query's end.
        done, _ = await asyncio.wait({leaving}, timeout=timeout)
        error = leaving.exception() if done else TimeoutError()
        if error is not None:
            logger.warning("the rest of the log waits for the next start: %r", error)
            leaving.cancel()
            self.pool.terminate()

    async def _say_goodbye(self, pool: Pool) -> None:
        await self._ship_rest(pool)
        await store.remove_heartbeat(pool, self._gateway)
        await pool.close()

    async def _ship_forever(self, pool: Pool) -> None:
        with contextlib.suppress(Exception):
            # A row of a day that has no partition yet keeps that day out of one.
            await _within(ensure_partitions(pool))
        await self._shipper.run(pool)

    async def _ship_rest(self, pool: Pool) -> None:
        while True:
            try:
                await self._shipper.ship_all(pool)
                return
            except Exception as error:
                end_if_cancelled()
                logger.warning("the rest of the log waits for PostgreSQL: %r", error)
            await asyncio.sleep(RETRY)

    def report(self, tripped: Tripped) -> None:
        """Tell the operator of a trip, as soon as PostgreSQL listens."""
        trip = GuardTrip(
            model=tripped.model,
            rollout_id=tripped.rollout_id,
            gateway=self._gateway,
            candidate_requests=tripped.candidate_requests,
            candidate_bad=tripped.candidate_bad,
            at=datetime.now(UTC),
        )
        self._trips.append(trip)
        self._wake.set()

    async def _connect(self) -> Pool:
        while True:
            try:
                self.pool = await open_pool(self._dsn, min_size=1, max_size=4)
            except Exception as error:
                end_if_cancelled()
                logger.warning("PostgreSQL is away, serving without it: %r", error)
                await asyncio.sleep(RETRY)
            else:
                return self.pool

    async def _beat_forever(self, pool: Pool) -> None:
        failing = False
        while True:
            self._wake.clear()
            began = time.monotonic()
            try:
                await self._beat(pool)
            except Exception as error:
                end_if_cancelled()
                if not failing:
                    logger.warning("PostgreSQL does not answer: %r", error)
                failing = True
                await asyncio.sleep(RETRY)
                continue
            if failing:
                logger.info("PostgreSQL answers again")
            failing = False
            # What was heard is as old as the question.
            self.heard = began
            self._keys.confirm(began)
            try:
                async with asyncio.timeout(PERIOD):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _beat(self, pool: Pool) -> None:
        while self._first_keys:
            key = self._first_keys[0]
            secret = key.secret.get_secret_value()
            stored = insert_key(
                pool, secret, name=key.name, endpoints=key.endpoints, pepper=self._pepper
            )
            if await _within(stored):
                logger.info("key %s stored", key.name)
            self._first_keys.pop(0)
        if self._table.apply(await _within(store.read_routes(pool))):
            logger.info("routes applied", extra={"revision": self._table.revision})
            await asyncio.to_thread(save_copy, self._folder / ROUTES, self._table.dump())
        if self._keys_changed or time.monotonic() >= self._keys_due:
            self._keys_changed = False
            self._keys_due = float("-inf")
            asked = time.monotonic()
            known = await _within(load_directory(pool))
            changed = self._keys.replace(known.keys, asked, tenants=known.tenants)
            self._keys_due = asked + KEYS_PERIOD
            if changed or asked >= self._keys_copy_due:
                copy = {
                    "at": time.time(),
                    "keys": self._keys.dump(),
                    "tenants": self._keys.dump_tenants(),
                }
                await asyncio.to_thread(save_copy, self._folder / KEYS, copy)
                self._keys_copy_due = asked + KEYS_COPY_PERIOD
        if self._keys.used:
            used = frozenset(self._keys.used)
            await _within(mark_used(pool, used))
            self._keys.used -= used
        while self._trips:
            await _within(store.trip_guard(pool, self._trips[0]))
            self._trips.pop(0)
        beat = Heartbeat(
            gateway=self._gateway,
            revision=self._table.revision,
            watermark=self._shipper.watermark,
            at=datetime.now(UTC),
            in_flight=self._in_flight(),
        )
        self.peers = await _within(store.heartbeat(pool, beat))

    def _notified(self, channel: str, payload: str) -> None:
        self._keys_changed = self._keys_changed or channel == CHANNEL_KEYS
        self._wake.set()

    def _reconnected(self) -> None:
        # What changed while nobody listened was not told.
        self._keys_changed = True
        self._wake.set()


async def _within(call: Awaitable[T]) -> T:
    async with asyncio.timeout(TIMEOUT):
        return await call
