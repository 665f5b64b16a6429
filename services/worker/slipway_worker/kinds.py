"""What a kind of job is: how it runs and how its results are stored.

``run`` may happen more than once for a job (a killed worker, a lost database); ``store`` and
``fail`` happen once, in the transaction that takes the job out of the queue. They get a batch, so
that a hundred cheap jobs cost one statement. Kinds know nothing of the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import orjson

from slipway_store.connect import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a kind gets. ``attempts``: how often it failed; ``deaths``: or its worker ended."""

    id: int
    tenant: str
    payload: bytes
    attempts: int = 0
    deaths: int = 0

    @property
    def key_id(self) -> str:
        """Whose key asked for it; empty where it was a token's or nobody's."""
        return self._told("key")

    @property
    def trace(self) -> str:
        """``traceparent`` of the request that asked for it; empty where that had none."""
        return self._told("trace")

    def _told(self, name: str) -> str:
        told = orjson.loads(self.payload)
        return str(told.get(name) or "") if isinstance(told, dict) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A job and what ``run`` gave."""

    job: Job
    result: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """A job that is given up. ``told`` is for the asker, empty where nothing better is known."""

    job: Job
    reason: str
    told: str = ""


# What to do once a transaction is over and its effects stand: count them.
Afterwards: TypeAlias = Callable[[], None] | None


class Kind(Protocol):
    """``rank``: kinds of a higher one are served first, the others by what room is left.

    What ``store`` and ``fail`` return is called when their transaction has been committed, and not
    at all when it is broken off or nobody heard how it ended.
    """

    @property
    def name(self) -> str: ...

    @property
    def rank(self) -> int: ...

    async def run(self, job: Job) -> Any:
        """The work. Raises the package's errors; anything else counts as a failed attempt."""
        ...

    async def store(self, connection: Connection, finished: Sequence[Finished]) -> Afterwards: ...

    async def fail(self, connection: Connection, dead: Sequence[Dead]) -> Afterwards: ...


class Registry:
    """The kinds of one process, by name."""

    def __init__(self, *kinds: Kind) -> None:
        self._kinds = {kind.name: kind for kind in kinds}

    def get(self, name: str) -> Kind | None:
        """None for a kind that only a newer worker knows."""
        return self._kinds.get(name)

    def __iter__(self) -> Any:
        return iter(self._kinds.values())
