"""Tells PostgreSQL how many GPUs each version holds, so that usage can be told in GPU-seconds.

Wraps a platform's backends: what they are asked to hold is what is counted. Where the autoscaler
decides how many replicas there are, those that were ready at the last look are, and never fewer
than the least: one that is still loading, or just gone, is noticed by the next look. A version on
the CPU holds none and is left out. Telling never fails a pass: what could not be told is told by
the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from math import ceil

import asyncpg

from slipway_contracts.serving import Serving
from slipway_operator.core.decision import DesiredBackend
from slipway_operator.core.snapshot import BackendObservation
from slipway_operator.ports import Backends
from slipway_store.connect import Pool
from slipway_store.errors import UNAVAILABLE
from slipway_store.usage import set_gpus

log = logging.getLogger(__name__)

# Also a schema of before: an old database is no reason to stop serving.
_LATER: tuple[type[Exception], ...] = (*UNAVAILABLE, asyncpg.PostgresError)


class GpuTime:
    """``ports.Backends`` around another one."""

    def __init__(self, backends: Backends, pool: Pool) -> None:
        self._backends = backends
        self._pool = pool
        self._told: dict[str, dict[str, int]] = {}
        self._ready: dict[str, dict[str, int]] = {}

    async def observe(self, model: str) -> Mapping[str, BackendObservation]:
        seen = await self._backends.observe(model)
        self._ready[model] = {name: one.ready_replicas for name, one in seen.items()}
        return seen

    async def apply(self, model: str, desired: Sequence[DesiredBackend]) -> None:
        await self._backends.apply(model, desired)
        held = gpus_held(desired, self._ready.get(model, {}))
        if self._told.get(model) == held:
            return
        try:
            await set_gpus(self._pool, model, held)
        except _LATER as error:
            log.warning("GPUs are counted later", extra={"model": model, "error": str(error)})
        else:
            self._told[model] = held


def gpus_held(desired: Sequence[DesiredBackend], ready: Mapping[str, int]) -> dict[str, int]:
    """By version, of all its replicas. ``ready``: those that were seen, by the backend's name."""
    held: dict[str, int] = {}
    for backend in desired:
        replicas = backend.serving.replicas
        count = min(replicas.max, max(replicas.min, ready.get(backend.name, 0)))
        gpus = _gpus_a_replica(backend.serving) * count
        if gpus:
            held[backend.version] = held.get(backend.version, 0) + gpus
    return held


def _gpus_a_replica(serving: Serving) -> int:
    """A replica whose layers are shared by more GPUs than one pod has spans several pods."""
    gpu = serving.resources.gpu
    return gpu * max(1, ceil(serving.engine.tensor_parallel_size / gpu)) if gpu else 0
