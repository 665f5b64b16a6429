"""The background task of the limits: leases chunks ahead, charges debts, gives back what is idle.

It looks at PostgreSQL every ``PERIOD`` while anybody is limited (else never), and at once when a
lease runs low. PostgreSQL away: ``limits`` is told; what is leased is used up, then the setting
``limits_without_database`` decides. Never raises for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from slipway_gateway.tenants.limits import Limits
from slipway_store import quotas
from slipway_store.connect import Pool
from slipway_store.quotas import LEASE_SECONDS

logger = logging.getLogger(__name__)

PERIOD = 0.25
# Two settlements are at least so far apart: a burst asks once, not once a request.
GAP = 0.005
TIMEOUT = 1.0
# Rows that changed within so long are read: longer than a window's first lease comes before it.
LOOK_BACK = 5.0
FORGET_PERIOD = 300.0


class Leases:
    """One per process. ``pool`` gives the link's pool, None before PostgreSQL was reached."""

    def __init__(self, limits: Limits, pool: Callable[[], Pool | None], *, gateway: str) -> None:
        self._limits = limits
        self._pool = pool
        self._gateway = gateway
        self._wake = asyncio.Event()
        self._heard = time.monotonic()
        self._settled = time.monotonic()
        self._forget_due = 0.0
        self._settling: asyncio.Future[None] | None = None
        limits.wake = self._wake.set

    async def run(self) -> None:
        """Until cancelled."""
        look_due = 0.0
        while True:
            self._wake.clear()
            if not self._limits.configured:
                await self._wake.wait()
                continue
            look = time.monotonic() >= look_due
            if look:
                look_due = time.monotonic() + PERIOD
            await self._sync(look=look)
            # Without PostgreSQL nobody's wish makes it come sooner.
            await asyncio.sleep(PERIOD if self._limits.world.away else GAP)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, look_due - time.monotonic())):
                    await self._wake.wait()

    async def leave(self) -> None:
        """At exit: what is leased and not spent goes back, if PostgreSQL takes it at once."""
        pool = self._pool()
        if pool is None or not self._limits.configured or self._limits.world.away:
            return
        if not await self._has_settled():
            return
        wishes = self._limits.returns(time.monotonic())
        if not wishes:
            return
        giving = asyncio.ensure_future(quotas.settle(pool, self._gateway, wishes))
        await asyncio.wait({giving}, timeout=TIMEOUT)
        if not giving.done() or giving.exception() is not None:
            logger.warning("leased quota comes back when its leases expire")
            giving.cancel()

    async def _has_settled(self) -> bool:
        """The settlement under way has ended: given back without its answer, what PostgreSQL has
        charged would be charged again."""
        settling = self._settling
        if settling is None or settling.done():
            return True
        done, _ = await asyncio.wait({settling}, timeout=TIMEOUT)
        if not done:
            logger.warning("leased quota comes back when its leases expire")
            settling.cancel()
        return bool(done) and settling.exception() is None

    async def _sync(self, *, look: bool) -> None:
        """One settlement, however long it takes; after ``TIMEOUT`` PostgreSQL counts as away.

        It is not cancelled then: a frozen server must first agree to a cancellation. Nor where this
        task is: ``leave`` waits for its answer.
        """
        settling = self._settling = asyncio.ensure_future(self._settle(look=look))
        try:
            done, _ = await asyncio.wait({settling}, timeout=TIMEOUT)
            while not done:
                self._away(TimeoutError(f"no answer within {TIMEOUT} s"))
                done, _ = await asyncio.wait({settling}, timeout=PERIOD)
            settling.result()
        except Exception as error:
            self._away(error)
        else:
            if self._limits.world.away:
                logger.info("limits are shared again")
            self._limits.world.away = False

    def _away(self, error: Exception) -> None:
        if not self._limits.world.away:
            logger.warning("limits go on with what is leased: %r", error)
        self._limits.world.away = True
        if time.monotonic() - self._heard > LEASE_SECONDS:
            self._limits.lapsed()

    async def _settle(self, *, look: bool) -> None:
        pool = self._pool()
        if pool is None:
            raise ConnectionError("not connected yet")
        asked = time.monotonic()
        if look:
            sight = await quotas.look(pool, seconds=LOOK_BACK)
            self._limits.saw(sight, (asked + time.monotonic()) / 2)
        began = time.monotonic()
        wishes = self._limits.wishes(began, began - self._settled)
        self._settled = began
        if wishes:
            self._limits.granted(await quotas.settle(pool, self._gateway, wishes))
        self._heard = asked
        if asked >= self._forget_due:
            self._forget_due = asked + FORGET_PERIOD
            await quotas.forget_windows(pool)
