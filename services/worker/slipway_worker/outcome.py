"""What becomes of a job after it ran, judged from how it ended. Pure.

A refusal for now (``TryLater``) costs no attempt, so that an afternoon without capacity kills no
job; a job that was refused for ``patience`` is given up all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from slipway_worker.errors import Hopeless, TryLater

# So many workers ended under a job: it may be the one that ends them.
SUSPECT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """It is done; this is to be stored."""

    result: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Queue it again, due in ``delay`` seconds; ``counts`` an attempt."""

    delay: float
    counts: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """It is dead; ``told`` is for the asker. ``ran`` false: it was not even tried again."""

    reason: str
    told: str = ""
    ran: bool = True


Outcome: TypeAlias = Stored | Again | GivenUp


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds and counts: how often and for how long a job is tried, with which delays."""

    max_attempts: int = 8
    first_delay: float = 1.0
    delay_limit: float = 300.0
    patience: float = 86_400.0

    def forlorn(self, deaths: int) -> GivenUp | None:
        """What becomes of a job before it runs, if it is too dangerous to; None: run it."""
        if deaths < max(self.max_attempts, SUSPECT + 2):
            return None
        return GivenUp(reason=f"{deaths} workers ended while they ran it", ran=False)

    def judge(self, error: BaseException, *, attempts: int, age: float, luck: float) -> Outcome:
        """``attempts`` failed before this one, ``age`` seconds since it was queued.

        ``luck`` in [0, 1) spreads the delays, so that jobs that failed together do not come back
        together.
        """
        reason = f"{type(error).__name__}: {error}"
        match error:
            case Hopeless():
                return GivenUp(reason=str(error), told=error.told)
            case TryLater():
                if age > self.patience:
                    return GivenUp(reason=f"refused for {age:.0f} s: {error}")
                least = error.after or self.first_delay
                delay = min(least, self.delay_limit) * (1 + luck)
                return Again(delay=delay, counts=False, reason=reason)
            case _:
                if attempts + 1 >= self.max_attempts:
                    return GivenUp(reason=f"failed {attempts + 1} times; the last: {reason}")
                delay = self.backoff(attempts, luck=luck)
                return Again(delay=delay, counts=True, reason=reason)

    def backoff(self, attempts: int, *, luck: float) -> float:
        """Doubles with each attempt up to the limit; between half of that and the whole."""
        whole = min(self.delay_limit, self.first_delay * 2.0 ** min(attempts, 60))
        return whole * (0.5 + luck / 2)
