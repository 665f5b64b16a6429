"""What the process's parts know without having counted it: log, routes, keys and cache.

Read at a scrape, from memory but for the time of the log's oldest row, which is one small read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from slipway_contracts.metrics import gateway as names
from slipway_contracts.metrics.kinds import MODEL, OTHER
from slipway_gateway.attempts.bound import Bound
from slipway_gateway.attempts.log import AttemptLog
from slipway_gateway.attempts.segment import Segments
from slipway_gateway.attempts.shipper import Shipper
from slipway_gateway.attempts.texts import Texts
from slipway_gateway.cache import AnswerCache
from slipway_gateway.control.link import Link
from slipway_gateway.control.table import RouteTable
from slipway_gateway.tenants.keys import Keys
from slipway_telemetry.families import Family, gauge

# PostgreSQL is asked once a second; one answer may take as long as the link's own time-out.
SILENCE = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogState:
    """The attempts log, as far as it has not reached PostgreSQL."""

    log: AttemptLog
    segments: Segments
    shipper: Shipper
    bound: Bound
    texts: Texts

    def families(self) -> Iterator[Family]:
        """For the page."""
        gone = self.shipper.shipped + self.shipper.given_up
        yield gauge(names.LOG_PENDING, max(0, self.log.appended - gone))
        oldest = self._oldest()
        yield gauge(names.LOG_OLDEST, 0.0 if oldest is None else max(0.0, time.time() - oldest))
        lost = {"disk": self.log.lost, "bound": self.bound.dropped}
        yield Family(metric=names.LOG_LOST, samples=[((why,), n) for why, n in lost.items()])
        texts = {"bound": self.bound.stripped, "redaction": self.texts.withheld}
        yield Family(
            metric=names.LOG_DROPPED_TEXTS, samples=[((why,), n) for why, n in texts.items()]
        )

    def _oldest(self) -> float | None:
        """Unix seconds of the first row that is not shipped, also one of an earlier process."""
        for name in self.segments.waiting():
            found = self.segments.time_after(name, self.shipper.shipped_of(name))
            if found is not None:
                return found
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlState:
    """Routes, keys and the link to PostgreSQL. ``began``: monotonic seconds of the start."""

    table: RouteTable
    keys: Keys
    link: Link
    is_fenced: Callable[[], bool]
    began: float

    def families(self) -> Iterator[Family]:
        """For the page."""
        now = time.monotonic()
        confirmed = self.keys.confirmed
        since = self.began if confirmed == float("-inf") else confirmed
        yield gauge(names.ROUTES_REVISION, self.table.revision)
        yield gauge(names.FENCED, self.is_fenced())
        yield gauge(names.KEYS_AGE, max(0.0, now - since))
        yield gauge(names.GATEWAY_CONNECTED, now - self.link.heard <= SILENCE)


@dataclass(slots=True, kw_only=True)
class CacheState:
    """The answer cache. It knows versions; the page counts by Model, for good."""

    cache: AnswerCache
    table: RouteTable
    _counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def families(self) -> Iterator[Family]:
        """For the page."""
        models = {b.version: route.model for route in self.table.all() for b in route.backends}
        for version, (hits, misses) in self.cache.drain().items():
            model = models.get(version, OTHER)
            if (model, "hit") not in self._counts and len(self._counts) >= 2 * MODEL.bound:
                model = OTHER
            for outcome, count in (("hit", hits), ("miss", misses)):
                self._counts[model, outcome] = self._counts.get((model, outcome), 0) + count
        yield Family(metric=names.CACHE_LOOKUPS, samples=list(self._counts.items()))
        yield gauge(names.CACHE_BYTES, self.cache.size)
