"""The process's page of metrics: what attempts count, and what its parts tell at a scrape.

No globals. ``/metrics`` shows it as Prometheus' text, or as JSON for people and scripts that ask
for it. A page of a hundred Models is ten thousand lines: it is written a few at a time, so that no
request waits for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from slipway_contracts.attempt import Attempt
from slipway_contracts.metrics import gateway as names
from slipway_contracts.route import ModelRoute
from slipway_gateway.metrics.traffic import Traffic, VersionKey
from slipway_telemetry import page
from slipway_telemetry.bounded import Names
from slipway_telemetry.families import Family, fitted

Tell = Callable[[], Iterable[Family]]

# The other requests of this process wait no longer than this for a page.
PIECE_SECONDS = 0.001
# A version that left the routes is shown until a scrape has surely had its last counts; a tenant
# that nobody cannot enumerate is shown for an hour after its last request.
VERSION_IDLE = 300.0
TENANT_IDLE = 3600.0


class Metrics:
    """Everything that this process counts. ``sources``: what else is on the page."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.traffic = Traffic()
        self.in_flight = self.traffic.in_flight
        self.observe: Callable[[Attempt], None] = self.traffic.observe
        self.answered: Callable[[str, str, int], None] = self.traffic.answered
        self.limited: Callable[[str, str], None] = self.traffic.limited
        self.sources: list[Tell] = [self._counted]
        # CPU, memory and descriptors under the names that everybody's processes have.
        self._machine = CollectorRegistry()
        ProcessCollector(registry=self._machine)
        self._served: set[VersionKey] = set()
        self._clock = clock

    def serves(self, routes: Iterable[ModelRoute]) -> None:
        """These are the routes from now on: the versions in them stay on the page."""
        self._served = {
            (route.model, backend.version) for route in routes for backend in route.backends
        }
        for key in self._served:
            # From 0 on: an increase from nothing is none.
            self.traffic.versions[key]

    def families(self) -> Iterator[Family]:
        """Everything, as it is now."""
        self._forget()
        for tell in self.sources:
            yield from tell()

    async def text(self) -> bytes:
        """Prometheus' text format."""
        out: list[str] = []
        pause = time.monotonic() + PIECE_SECONDS
        for piece in page.pieces(self.families()):
            out.append(piece)
            if time.monotonic() >= pause:
                await asyncio.sleep(0)
                pause = time.monotonic() + PIECE_SECONDS
        return "".join(out).encode() + generate_latest(self._machine)

    def summary(self) -> dict[str, Any]:
        """``{metric: [{labels, value}]}``; a histogram gives its count and sum."""
        return page.plain(self.families())

    def _forget(self) -> None:
        traffic, now, served = self.traffic, self._clock(), self._served
        traffic.versions.forget(now, idle=VERSION_IDLE, keep=served.__contains__)
        traffic.versions.recount()
        traffic.in_flight.forget(served | traffic.versions.keys())
        traffic.tenants.forget(now, idle=TENANT_IDLE, keep=lambda _: False)

    def _counted(self) -> Iterator[Family]:
        answers = [((m, route, str(s)), n) for (m, route, s), n in self.traffic.answers.items()]
        yield fitted(names.HTTP_REQUESTS, answers, Names(), merge=_sum)
        yield from self._of_versions()
        yield from self._of_tenants()

    def _of_versions(self) -> Iterator[Family]:
        traffic = self.traffic
        versions = traffic.versions.shown()
        yield Family(
            metric=names.INFERENCE_REQUESTS,
            samples=[((*key, o), n) for key, of in versions for o, n in of.outcomes.items()],
        )
        yield Family(
            metric=names.TOKENS,
            samples=[
                pair
                for key, of in versions
                for pair in (((*key, "prompt"), of.prompt), ((*key, "completion"), of.completion))
            ],
        )
        yield fitted(names.IN_FLIGHT, traffic.open_by_version(), Names(), merge=_sum)
        yield Family(
            metric=names.INFERENCE_LATENCY, samples=[(key, of.latency) for key, of in versions]
        )
        yield Family(metric=names.TTFT, samples=[(key, of.ttft) for key, of in versions])
        yield Family(
            metric=names.INTER_TOKEN, samples=[(key, of.inter_token) for key, of in versions]
        )

    def _of_tenants(self) -> Iterator[Family]:
        tenants = self.traffic.tenants.shown()
        yield Family(
            metric=names.TENANT_REQUESTS,
            samples=[((name, o), n) for name, of in tenants for o, n in of.outcomes.items()],
        )
        yield Family(
            metric=names.TENANT_TOKENS,
            samples=[
                pair
                for name, of in tenants
                for pair in (((name, "prompt"), of.prompt), ((name, "completion"), of.completion))
            ],
        )
        yield Family(
            metric=names.LIMIT_REFUSED,
            samples=[((name, o), n) for name, of in tenants for o, n in of.limited.items()],
        )


def _sum(one: float, other: float) -> float:
    return one + other
