"""The operator tells PostgreSQL of GPUs once a change, and never fails a pass for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from child_bodies import a_backend

from slipway_operator.core.decision import DesiredBackend
from slipway_operator.core.snapshot import BackendObservation
from slipway_operator.platforms.gpu_time import GpuTime
from slipway_store.connect import Pool, open_pool


class Backends:
    """Does nothing but remember."""

    def __init__(self) -> None:
        self.applied = 0

    async def observe(self, model: str) -> Mapping[str, BackendObservation]:
        return {}

    async def apply(self, model: str, desired: Sequence[DesiredBackend]) -> None:
        self.applied += 1


async def stored(pool: Pool) -> list[tuple[object, ...]]:
    rows = await pool.fetch("SELECT model, version, gpus, xmin::text FROM version_gpus ORDER BY 2")
    return [tuple(row) for row in rows]


async def test_changes_are_told_once(dsn: str) -> None:
    pool = await open_pool(dsn, max_size=2)
    inner = Backends()
    backends = GpuTime(inner, pool)
    wanted = [a_backend(resources={"gpu": 2})]
    await backends.apply("m", wanted)
    first = await stored(pool)
    assert [row[:3] for row in first] == [("m", wanted[0].version, 2)]
    await backends.apply("m", wanted)
    # Another operator process knows nothing and changes nothing.
    await GpuTime(inner, pool).apply("m", wanted)
    assert await stored(pool) == first
    await pool.execute("DROP TABLE gpu_daily")
    await backends.apply("m", [])
    assert await stored(pool) == first
    await pool.close()
    await backends.apply("m", [])
    assert inner.applied == 5
