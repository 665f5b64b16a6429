"""One quota as one gateway process counts it: what it has leased, spent and owes. Pure.

A meter counts what flows in a window (requests, tokens); ``slots`` counts what is open. Both spend
from a lease; beyond it they owe, up to ``credit``: a share of what was free when PostgreSQL was
last heard, so small that all gateways together stay within it. Before a window's first lease that
is an equal share, since nobody has leased of it; later half of one, since each may lease the other
half meanwhile. The background task (``leases``) charges debts and gets chunks.

::

    take ──► balance ──► owed (≤ credit) ──► refused (need)
               ▲            │
               └─ granted ◄─┴─ wish (charge, want) ── every sync
"""

from __future__ import annotations

from slipway_gateway.tenants.world import IDLE, World, credit_of
from slipway_store.quotas import Grant, Quota, Wish

# A lease covers so many seconds of what this process spends now.
LOOKAHEAD = 1.0
# So long before a window ends its successor's first chunk is leased.
EARLY = 2.0
# Of a day's quota a process never holds more than this part: what it cannot give back when it is
# killed stays small.
DAY_SHARE = 200
_FIRST_ESTIMATE = 256


class Meter:
    """A windowed quota of one scope. Times are the server's clock in seconds."""

    __slots__ = (
        "_fresh", "_sent", "_since", "_touched", "ahead", "balance", "credit", "free", "limit",
        "mean", "need", "owed", "quota", "scope", "seconds", "spent", "tokens", "window", "world",
    )  # fmt: skip

    def __init__(self, scope: str, quota: Quota, limit: int, world: World) -> None:
        self.scope = scope
        self.quota = quota
        self.limit = limit
        self.world = world
        self.seconds = quota.seconds
        self.tokens = quota is not Quota.REQUESTS_PER_MINUTE
        self.window = -1
        self.balance = self.owed = self.need = self.spent = self.ahead = 0
        self.free = self.credit = limit
        self.mean = float(max(1, min(_FIRST_ESTIMATE, limit // 20)))
        self._fresh = True
        self._sent = 0
        self._since = 0
        self._touched = float("-inf")

    def roll(self, at: float) -> None:
        """Turn to the window of ``at``, if that is another one."""
        window = int(at // self.seconds)
        if window == self.window:
            return
        follows = window == self.window + 1
        self.balance = self.ahead if follows else 0
        self.ahead = 0
        # A debt that was not charged in its own window counts in this one.
        self.owed = self.owed if follows else 0
        self.spent = self.need = self._since = 0
        self.window = window
        self._fresh = True
        self.learn(self.limit - self.balance)

    def learn(self, free: int) -> None:
        """What nobody holds of the current window."""
        self.free = free
        self.credit = credit_of(free, self.world.peers, fresh=self._fresh)

    def allows(self, cost: int) -> bool:
        """Whether ``cost`` can be spent now."""
        if cost <= self.balance:
            return True
        if self.world.away:
            share = max(self.limit // self.world.peers, cost)
            return self.world.open_when_away and self.spent + cost <= share
        if self.owed + cost - self.balance <= self.credit:
            return True
        if self.owed == 0 and cost <= self.balance + self.free:
            # Larger than a share, as tokens can be: one at a time.
            return True
        self.need = max(self.need, cost)
        return False

    def spend(self, cost: int, at: float) -> bool:
        """True when the lease runs low."""
        self._touched = at
        self.spent += cost
        if cost <= self.balance:
            self.balance -= cost
            return self.balance * 2 < self.spent - self._since
        self.owed += cost - self.balance
        self.balance = 0
        return True

    def correct(self, window: int, reserved: int, actual: int) -> None:
        """A reservation of ``window`` turned out to be ``actual``."""
        more = actual - reserved
        if more < 0 and window != self.window:
            return
        self.spent += more
        if more >= 0:
            paid = min(self.balance, more)
            self.balance -= paid
            self.owed += more - paid
        else:
            repaid = min(max(0, self.owed - self._sent), -more)
            self.owed -= repaid
            self.balance += -more - repaid

    def observe(self, actual: int) -> None:
        """What an answered request took, for the next estimates."""
        self.mean += (min(actual, self.limit) - self.mean) / 8

    def estimate(self) -> int:
        """Tokens that a request will probably take."""
        return max(1, min(self.limit, round(self.mean)))

    def remaining(self) -> int:
        """Of the current window, as far as this process knows."""
        return max(0, min(self.limit, self.balance + self.free - self.owed))

    def resets_in(self, at: float) -> float:
        """Seconds until the window ends."""
        return (self.window + 1) * self.seconds - at

    def retry_in(self, at: float) -> float:
        """Seconds until a refused call has a chance."""
        return 1.0 if self.leasing() else self.resets_in(at)

    def leasing(self) -> bool:
        """Refused only because the next chunk is on its way."""
        return self.free > 0 and self.spent < self.limit and not self.world.away

    def wishes(self, at: float, elapsed: float) -> list[Wish]:
        """What to tell PostgreSQL now; empty when there is nothing."""
        self.roll(at)
        rate = (self.spent - self._since) / max(elapsed, 0.05)
        self._since = self.spent
        target = self._target(rate)
        idle = at - self._touched > IDLE
        want = 0 if idle else max(0, target - self.balance)
        spare = self.balance if idle else max(0, self.balance - 4 * target)
        charge = self.owed - spare
        found = []
        holds = self.quota is Quota.TOKENS_PER_DAY and self.balance > 0
        if charge or self.need or want > self.balance or holds:
            self.balance -= spare
            self._sent = self.owed
            found.append(
                Wish(
                    scope=self.scope,
                    quota=self.quota,
                    window=self.window,
                    limit=self.limit,
                    charge=charge,
                    held=self.balance,
                    need=self.need,
                    want=want,
                )
            )
        if not idle and not self.ahead and rate and self.resets_in(at) < min(EARLY, self.seconds):
            found.append(self._wish_ahead(target))
        return found

    def holds(self, at: float) -> bool:
        """Used lately, or something is leased or owed."""
        return at - self._touched <= IDLE or bool(self.balance or self.owed or self.ahead)

    def granted(self, grant: Grant) -> None:
        """PostgreSQL's answer to a wish."""
        if grant.window == self.window + 1:
            self.ahead += grant.granted
        elif grant.window == self.window:
            self.owed -= self._sent
            self._sent = self.need = 0
            self.balance += grant.granted
            self._fresh = False
            self.learn(grant.free)
            if self.balance and self.owed:
                paid = min(self.balance, self.owed)
                self.balance -= paid
                self.owed -= paid

    def release(self, at: float) -> Wish:
        """Give everything back."""
        self.roll(at)
        charge, self.balance, self.owed = self.owed - self.balance, 0, 0
        return Wish(
            scope=self.scope,
            quota=self.quota,
            window=self.window,
            limit=self.limit,
            charge=charge,
        )

    def lapsed(self) -> None:
        """What is held by name was given to others: the lease was not renewed in time."""
        if self.quota is Quota.TOKENS_PER_DAY:
            self.balance = self.ahead = 0

    def _target(self, rate: float) -> int:
        target = max(int(rate * LOOKAHEAD), self.estimate() if self.tokens else 1)
        if self.quota is Quota.TOKENS_PER_DAY:
            target = min(target, max(1, self.limit // DAY_SHARE))
        return target

    def _wish_ahead(self, target: int) -> Wish:
        return Wish(
            scope=self.scope,
            quota=self.quota,
            window=self.window + 1,
            limit=self.limit,
            want=target,
        )
