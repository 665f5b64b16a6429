"""What ``explain`` needs, asked of a session. The only part that reads from anywhere."""

from __future__ import annotations

from datetime import datetime

from slipway_cli.client import Session
from slipway_cli.errors import NotFound
from slipway_cli.explain.situation import Situation
from slipway_cli.resources import Kind
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion


async def situation_of(session: Session, version: ModelVersion, *, now: datetime) -> Situation:
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
