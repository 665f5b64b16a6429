"""What a report is made of, asked of a session once. What cannot be had is in ``left_out``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from slipway_cli.client import EventReader, ProgressReader
from slipway_cli.explain.explaining import Explanation, explain
from slipway_cli.explain.gather import Facts, situation_of
from slipway_cli.explain.situation import Situation
from slipway_cli.resources import Kind
from slipway_contracts.evaluation import Gate
from slipway_contracts.model_version import ModelVersion
from slipway_contracts.run import Progress
from slipway_store.events import Event
from slipway_store.measurements import Measurement
from slipway_store.traffic import Traffic

EVENTS = 200
# A judgement every 5 s: ten hours of rollout.
MEASUREMENTS = 7200
BUCKETS = 120
# Traffic from a little before the first request to a little after the last.
MARGIN = timedelta(seconds=30)
_AWAY = (
    "This report was made outside the cluster: the judgements behind each step and the requests "
    "over time are in the platform's PostgreSQL and are left out; the steps' sums are from the "
    "status, and of the training only the latest figures are known."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """``measurements``: of this attempt, oldest first. ``bucket``: seconds a traffic point."""

    situation: Situation
    explanation: Explanation
    measurements: Sequence[Measurement]
    progress: Sequence[Progress]
    traffic: Sequence[Traffic]
    bucket: int
    events: Sequence[Event]
    left_out: tuple[str, ...] = ()

    @property
    def version(self) -> ModelVersion:
        return self.situation.version

    @property
    def gates(self) -> dict[str, Gate]:
        """The evaluation's gates by metric, the Model's under the version's own."""
        model, own = self.situation.model, self.version.spec.evaluation
        gates = model.spec.evaluation.gates if model is not None else ()
        if own is not None and "gates" in own.model_fields_set:
            gates = own.gates
        return {gate.metric: gate for gate in gates}


class Sources(Facts, Protocol):
    """What a session has of a whole life."""

    @property
    def progress(self) -> ProgressReader: ...
    @property
    def events(self) -> EventReader: ...


async def gather(session: Sources, version: ModelVersion, *, now: datetime) -> Material:
    """Everything about one version. Raises the session's errors."""
    situation = await situation_of(session, version, now=now)
    name, model = version.metadata.name, version.spec.model
    measurements: list[Measurement] = []
    traffic: Sequence[Traffic] = ()
    bucket = 0
    if session.has_database:
        found = await session.evidence.history(model, name, limit=MEASUREMENTS)
        attempt = version.status.attempt
        measurements = [each for each in reversed(found) if each.attempt == attempt]
        span = _span(version, now)
        if span is not None:
            since, until = span
            bucket = max(1, round((until - since).total_seconds() / BUCKETS))
            traffic = await session.evidence.over_time(
                model, since=since, until=until, seconds=bucket
            )
    return Material(
        situation=situation,
        explanation=explain(situation),
        measurements=measurements,
        progress=await session.progress.progress(version),
        traffic=traffic,
        bucket=bucket,
        events=await session.events.events(kind=Kind.VERSION, name=name, limit=EVENTS),
        left_out=() if session.has_database else (_AWAY,),
    )


def _span(version: ModelVersion, now: datetime) -> tuple[datetime, datetime] | None:
    """From the rollout's beginning until it was over, or until now; None before it began."""
    rollout = version.status.rollout
    if rollout is None or rollout.started_at is None:
        return None
    ended = version.status.outcome.at if version.status.outcome is not None else None
    last = [step.ended_at for step in rollout.steps]
    if ended is None and rollout.promoted_at is not None and last and last[-1] is not None:
        ended = last[-1]  # promoted, and its watch is over
    return rollout.started_at - MARGIN, (ended + MARGIN if ended is not None else now)
