"""The operator's parts over a given API and cache, as many times in one process as a test wants.

What is not Kubernetes is scripted: ``MemoryRoutes`` outlive an operator as PostgreSQL does, and the
evidence on a candidate is what ``verdicts`` says of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from builders import judged
from children_world import CONFIG
from memory_platform import MemoryRoutes

from slipway_operator.core.snapshot import Baseline, Snapshot
from slipway_operator.observe import Observer
from slipway_operator.platforms.kubernetes.backends import KubernetesBackends
from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.events import KubernetesEvents
from slipway_operator.platforms.kubernetes.objects import KubernetesObjects
from slipway_operator.platforms.kubernetes.runs import KubernetesRuns
from slipway_operator.platforms.kubernetes.settings import PlatformConfig
from slipway_operator.reconcile import Controller, Platform, Reconciler
from slipway_operator.subject import Subject


class Unread:
    """``observe.Evidence`` of a log that nobody asks: the verdict is scripted."""

    async def watermark(self) -> datetime | None:
        return None

    async def guard_tripped(self, subject: Subject) -> bool:
        return False

    async def baseline(self, model: str, version: str, now: datetime) -> Baseline:
        return Baseline(requests_per_second=5.0)

    async def in_flight(self) -> Mapping[str, int] | None:
        return {}

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the scripted evidence has no {name}")


@dataclass(kw_only=True)
class Outside:
    """What outlives an operator, and is not the API server. ``verdicts``: by version; Pass."""

    service_url: str
    routes: Any = field(default_factory=MemoryRoutes)
    verdicts: dict[str, str] = field(default_factory=dict)
    config: PlatformConfig = CONFIG


@asynccontextmanager
async def operating(api: Any, cache: Cache, outside: Outside) -> AsyncIterator[asyncio.Task[None]]:
    """One operator, from an empty memory; cancelled where the context ends."""
    backends = KubernetesBackends(api, cache, outside.config, service_url=outside.service_url)
    platform = Platform(
        objects=KubernetesObjects(api, cache),
        events=KubernetesEvents(api, cache),
        runs=KubernetesRuns(api, cache, outside.config),
        backends=backends,
        routes=outside.routes,
    )
    observer = Observer(platform=platform, evidence=Unread())

    async def observe(model: str) -> Snapshot:
        seen = await observer(model)
        if seen.analysis is None:
            return seen
        candidate = seen.analysis.version
        verdict = outside.verdicts.get(candidate, "Pass")
        return replace(seen, analysis=judged(verdict, version=candidate))

    controller = Controller(
        reconcile=Reconciler(platform=platform, observe=observe),
        watches=(platform.objects.watch,),
        workers=2,
    )
    task = asyncio.create_task(controller.run(), name="operator")
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await backends.aclose()
