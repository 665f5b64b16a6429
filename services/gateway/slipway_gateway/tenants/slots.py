"""The concurrency of one scope as one gateway process counts it. Pure.

Slots are leased as a meter's chunks are (``meters`` explains credit), but they come back: the lease
follows what is open, plus a few ahead while calls come.
"""

from __future__ import annotations

from slipway_gateway.tenants.world import IDLE, World, credit_of
from slipway_store.quotas import Grant, Quota, Wish


class Slots:
    """The concurrency of one scope."""

    __slots__ = ("_touched", "credit", "free", "held", "limit", "need", "open", "scope", "world")

    quota = Quota.CONCURRENCY

    def __init__(self, scope: str, limit: int, world: World) -> None:
        self.scope = scope
        self.limit = limit
        self.world = world
        self.open = self.held = self.need = 0
        self.free = self.credit = limit
        self._touched = float("-inf")

    def learn(self, free: int) -> None:
        """What nobody holds."""
        self.free = free
        self.credit = credit_of(free, self.world.peers, fresh=self.held == 0)

    def allows(self) -> bool:
        """Whether one more may begin."""
        if self.open < self.held:
            return True
        if self.world.away:
            share = max(1, self.limit // self.world.peers)
            return self.world.open_when_away and self.open < share
        if self.open < self.held + self.credit:
            return True
        self.need = 1
        return False

    def leasing(self) -> bool:
        """Refused only because more slots are on their way."""
        return self.free > 0 and not self.world.away

    def enter(self, at: float) -> bool:
        """True when more slots are wanted."""
        self._touched = at
        self.open += 1
        return self.open >= self.held

    def leave(self) -> None:
        """One has ended."""
        self.open -= 1

    def wishes(self, at: float) -> list[Wish]:
        """While anything is open or held, every time: it renews the lease."""
        idle = at - self._touched > IDLE
        if idle and not self.open and not self.held and not self.need:
            return []
        spare = 0 if idle else max(1, self.open // 4)
        return [
            Wish(
                scope=self.scope,
                quota=self.quota,
                window=0,
                limit=self.limit,
                held=self.open,
                need=self.need,
                want=self.open + spare,
            )
        ]

    def granted(self, grant: Grant) -> None:
        """PostgreSQL's answer."""
        self.held = grant.granted
        self.need = 0
        self.learn(grant.free)

    def release(self) -> Wish:
        """Keep what is open and nothing else."""
        return Wish(
            scope=self.scope,
            quota=self.quota,
            window=0,
            limit=self.limit,
            held=self.open,
        )

    def lapsed(self) -> None:
        """The lease was not renewed in time."""
        self.held = 0
