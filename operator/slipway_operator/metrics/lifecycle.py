"""The versions that the operator looks after, from what each pass saw and decided.

``saw`` is told after every pass, on both platforms; nothing is asked for a scrape. A version that
has ended and serves nothing keeps its phase for half an hour, then only its place in the census. A
replica that does not lead has seen nothing and tells nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from slipway_contracts.conditions import (
    TERMINAL_PHASES,
    ConditionStatus,
    ConditionType,
    Phase,
    find_condition,
)
from slipway_contracts.metrics import lifecycle as names
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion, ModelVersionStatus
from slipway_operator.core.decision import Decision
from slipway_operator.core.effective import effective
from slipway_operator.core.snapshot import Analysis, Milestones, RunState, Snapshot
from slipway_operator.metrics.followed import Followed, Look, Told, merged
from slipway_operator.metrics.looks import analysis
from slipway_operator.metrics.standing import gates, phase, stalled, steps, weight
from slipway_operator.metrics.training import training
from slipway_operator.subject import Watched, subject_of
from slipway_telemetry.bounded import Names
from slipway_telemetry.families import Family, fitted

ENDED = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One Model as the last pass left it."""

    task: str
    ready: ConditionStatus
    phases: Counter[Phase]
    followed: tuple[Followed, ...]


class Lifecycle:
    """By Model. ``clock`` gives aware UTC."""

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._models: dict[str, _Seen] = {}
        self._clock = clock

    def saw(self, name: str, snapshot: Snapshot, decision: Decision) -> None:
        """A pass over one Model has been applied."""
        model = snapshot.model
        if model is None and not snapshot.versions:
            self._models.pop(name, None)
            return
        pairs = [
            (v, decision.version_statuses.get(v.metadata.name, v.status)) for v in snapshot.versions
        ]
        status = (decision.model_status or model.status) if model is not None else None
        ready = find_condition(status.conditions, ConditionType.READY) if status else None
        self._models[name] = _Seen(
            task=model.spec.task.value if model is not None else "",
            ready=ready.status if ready is not None else ConditionStatus.UNKNOWN,
            phases=Counter(status.phase for _, status in pairs),
            followed=tuple(self._follow(name, snapshot, pairs)),
        )

    def versions_by_phase(self) -> Mapping[str, int]:
        """Every phase is there, so that a graph falls to 0."""
        total: Counter[Phase] = Counter()
        for seen in self._models.values():
            total.update(seen.phases)
        return {phase.value: total[phase] for phase in Phase}

    def models_by_ready(self) -> Mapping[str, int]:
        """By the Ready condition; Unknown where there is none yet."""
        total = Counter(seen.ready for seen in self._models.values() if seen.task)
        return {status.value: total[status] for status in ConditionStatus}

    def families(self) -> Iterator[Family]:
        """Every metric of the lifecycle, for a scrape."""
        labels, now = Names(), self._clock()
        samples: dict[str, list[tuple[tuple[str, ...], float]]]
        samples = {metric.name: [] for metric in names.LIFECYCLE}
        for name, seen in sorted(self._models.items()):
            if seen.task:
                samples[names.MODEL_INFO.name].append(((name, seen.task), 1.0))
            for v in seen.followed:
                for metric, values, value in _told(v, now):
                    samples[metric.name].append(((name, v.name, *values), value))
        for metric in names.LIFECYCLE:
            yield fitted(metric, samples[metric.name], labels, merge=max)

    def _follow(
        self,
        model: str,
        snapshot: Snapshot,
        pairs: list[tuple[ModelVersion, ModelVersionStatus]],
    ) -> Iterator[Followed]:
        owner = snapshot.model
        look = _look(owner, snapshot.analysis, tuple(v for v, _ in pairs))
        before = self._models.get(model)
        known = {v.run: v.milestones for v in before.followed} if before is not None else {}
        for version, status in pairs:
            name = version.metadata.name
            if _forgotten(status, snapshot.now) or owner is None:
                continue
            judged = snapshot.analysis is not None and snapshot.analysis.version == name
            yield Followed(
                model=model,
                name=name,
                status=status,
                rollout=effective(owner, version).rollout,
                look=look if judged else None,
                milestones=_milestones(snapshot, status, known),
            )


def _told(v: Followed, now: datetime) -> Told:
    if v.status.phase in TERMINAL_PHASES:
        if not _forgotten(v.status, now):
            yield from phase(v)
        return
    yield from phase(v)
    yield from stalled(v)
    yield from weight(v)
    yield from steps(v, now)
    yield from analysis(v)
    yield from gates(v)
    yield from training(v, now.timestamp())


def _forgotten(status: ModelVersionStatus, now: datetime) -> bool:
    """It has ended, and long enough ago."""
    if status.phase not in TERMINAL_PHASES:
        return False
    return status.outcome is None or now - status.outcome.at > ENDED


def _milestones(
    snapshot: Snapshot, status: ModelVersionStatus, known: Mapping[str, Milestones | None]
) -> Milestones | None:
    """Of the run that goes on; what its lines do not show any more is remembered."""
    run = status.training.run if status.training is not None else ""
    seen = snapshot.runs.get(run)
    if status.phase is not Phase.TRAINING or seen is None:
        return None
    if seen.state not in (RunState.RUNNING, RunState.LOST):
        return None
    found = merged(known.get(run), seen.milestones)
    if found.began_at is None and not seen.message:
        # Nothing was said yet: it began no later than now. A message is what it waits for.
        found = merged(found, Milestones(began_at=snapshot.now.timestamp()))
    return found


def _look(
    model: Model | None, found: Analysis | None, versions: tuple[ModelVersion, ...]
) -> Look | None:
    """What the pass judged, with the bounds that it was judged by."""
    subject = subject_of(model, versions) if model is not None else None
    if found is None or found.judgement is None or subject is None:
        return None
    if subject.candidate != found.version:
        return None
    compared = subject.kind is not Watched.FIRST_VERSION
    return Look(judgement=found.judgement, plan=subject.plan, compared=compared)
