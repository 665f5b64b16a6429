"""What the story needs of the platform that it is played on; laptop and cluster each bring one.

Routes, heartbeats and the log are PostgreSQL's on both, so they are not part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from slipway_cli.resources import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSeen:
    """One running replica. A restart is another ``replica`` or another ``run`` of it."""

    deployment: str
    replica: str
    run: int


class DemoPlatform(Protocol):
    """Reads may fail with what ``away`` lists; they are tried again."""

    @property
    def away(self) -> tuple[type[Exception], ...]:
        """What a read raises while the platform restarts a part."""
        ...

    async def apply(self, resource: Resource) -> None:
        """Create the object, as ``apply -f`` does."""
        ...

    async def objects(self) -> Sequence[Mapping[str, Any]]:
        """Every Model and ModelVersion, in wire form."""
        ...

    async def replicas(self) -> Mapping[str, set[ReplicaSeen]]:
        """Backend → its running replicas; a backend that has none yet is there, empty."""
        ...
