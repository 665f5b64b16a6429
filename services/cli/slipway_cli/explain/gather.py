"""What ``explain`` needs, asked of a session. The only part that reads from anywhere."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from slipway_cli.client import EvidenceReader
from slipway_cli.errors import NotFound
from slipway_cli.explain.situation import Situation
from slipway_cli.resources import Kind, Resource
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion


class ModelReader(Protocol):
    """Of the objects, this much."""

    async def get(self, kind: Kind, name: str) -> Resource: ...


class Facts(Protocol):
    """What a session has of a situation."""

    @property
    def objects(self) -> ModelReader: ...
    @property
    def evidence(self) -> EvidenceReader: ...
    @property
    def has_database(self) -> bool: ...


async def situation_of(session: Facts, version: ModelVersion, *, now: datetime) -> Situation:
    """The version's Model may be missing; a cluster's measurements are out of reach."""
    try:
        model = await session.objects.get(Kind.MODEL, version.spec.model)
    except NotFound:
        model = None
    measured = None
    if session.has_database:
        measured = await session.evidence.latest(version.spec.model, version.metadata.name)
    return Situation(
        version=version,
        now=now,
        model=model if isinstance(model, Model) else None,
        measured=measured,
        evidence_reachable=session.has_database,
    )
