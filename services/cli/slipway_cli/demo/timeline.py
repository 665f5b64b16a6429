"""What the routes and the gateways were, over time, as far as it was sampled. Pure.

Built from the rows that the operator writes (a route's revision, body and time) and from the
gateways' heartbeats; everything that the report says about weights comes from here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePoint:
    """One revision of the Model's route; ``at`` is when the operator wrote it (unix seconds)."""

    at: float
    revision: int
    weights: Mapping[str, int]
    roles: Mapping[str, str]
    shadow: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RisingWindow:
    """[begin, end): ``version`` had a positive weight that never fell. Unix seconds."""

    version: str
    begin: float
    end: float


@dataclass(slots=True)
class Timeline:
    """Routes in the order of their revisions, and when each gateway said it applied which."""

    routes: list[RoutePoint] = field(default_factory=list)
    applied: dict[str, dict[int, float]] = field(default_factory=dict)
    last_heartbeat: dict[str, float] = field(default_factory=dict)

    def add_route(self, point: RoutePoint) -> bool:
        """True when the revision is new."""
        if self.routes and point.revision <= self.routes[-1].revision:
            return False
        self.routes.append(point)
        return True

    def add_heartbeat(self, gateway: str, *, revision: int, at: float) -> None:
        """Only the first heartbeat of a revision says when it was applied."""
        self.applied.setdefault(gateway, {}).setdefault(revision, at)
        self.last_heartbeat[gateway] = at

    def weights_of(self, version: str) -> list[tuple[float, int]]:
        """(unix seconds, weight) at each change; empty when it never had a weight."""
        changes: list[tuple[float, int]] = []
        for point in self.routes:
            weight = point.weights.get(version, 0)
            if weight != (changes[-1][1] if changes else 0):
                changes.append((point.at, weight))
        return changes

    def versions(self) -> list[str]:
        """Every version that ever stood in the route, in order of appearance."""
        return list(dict.fromkeys(v for point in self.routes for v in point.weights))

    def first_as(self, version: str, role: str) -> float | None:
        """When the version first had the role with a positive weight."""
        return next(
            (p.at for p in self.routes if p.roles.get(version) == role and p.weights.get(version)),
            None,
        )

    def withdrawn(self, version: str) -> RoutePoint | None:
        """The revision that took the version's last weight away; None while it has one."""
        found: RoutePoint | None = None
        had = False
        for point in self.routes:
            if point.weights.get(version, 0) > 0:
                had, found = True, None
            elif had and found is None:
                found = point
        return found

    def applied_everywhere(self, revision: int, *, since: float) -> float | None:
        """When the last live gateway had applied ``revision`` or a later one.

        Live: its heartbeat was heard after ``since``. None when one never said so, or none lives.
        """
        live = [gateway for gateway, at in self.last_heartbeat.items() if at >= since]
        times = []
        for gateway in live:
            heard = [at for done, at in self.applied[gateway].items() if done >= revision]
            if not heard:
                return None
            times.append(min(heard))
        return max(times, default=None)


def rising_windows(timeline: Timeline) -> list[RisingWindow]:
    """From a rise of a version's weight to its next fall.

    A stretch that begins with a fall is no window: gateways apply a revision milliseconds apart,
    and what left a falling version in between went the way it should.
    """
    windows = []
    for version in timeline.versions():
        begin: float | None = None
        last = 0
        for at, weight in timeline.weights_of(version):
            if weight > last and begin is None:
                begin = at
            elif weight < last and begin is not None:
                windows.append(RisingWindow(version=version, begin=begin, end=at))
                begin = None
            last = weight
        if begin is not None:
            windows.append(RisingWindow(version=version, begin=begin, end=math.inf))
    return windows


def relative(changes: Sequence[tuple[float, int]], origin: float) -> list[list[float]]:
    """[[seconds since ``origin``, weight], …] as the report shows them."""
    return [[round(at - origin, 1), weight] for at, weight in changes]
