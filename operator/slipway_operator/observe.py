"""``Snapshot`` from the world: asks the ports and the log, judges the counts, guesses nothing.

The one place where the core's inputs come together. It reads; what it writes is the judgement's
figures, once for each closed tick, so that the evidence outlives the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from slipway_contracts.base import utc
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion
from slipway_operator.core.snapshot import Analysis, Baseline, Snapshot
from slipway_operator.errors import Transient
from slipway_operator.ports import Backends, Objects, Routes, Runs
from slipway_operator.subject import Subject, Watched, subject_of
from slipway_verdicts.counts import TICK_SECONDS, ArmCounts, Tick
from slipway_verdicts.judge import judge, judge_first_version
from slipway_verdicts.judgement import Judgement, Verdict


class Evidence(Protocol):
    """Counts and figures out of the request log. Raises ``Transient`` when it cannot be read."""

    async def watermark(self) -> datetime | None:
        """Until when every live gateway has shipped; None without a live gateway."""
        ...

    async def ticks(self, subject: Subject, watermark: datetime) -> Sequence[Tick]: ...

    async def stable_before(self, subject: Subject) -> Mapping[str, ArmCounts]: ...

    async def shadow(self, subject: Subject, watermark: datetime) -> tuple[int, int]: ...

    async def baseline(self, model: str, version: str, now: datetime) -> Baseline: ...

    async def guard_tripped(self, subject: Subject) -> bool: ...

    async def in_flight(self) -> Mapping[str, int] | None: ...

    async def record(self, subject: Subject, judgement: Judgement, at: datetime) -> None:
        """Keep one judgement's figures; ``at`` is the end of its last tick."""
        ...


class Sources(Protocol):
    """The ports that are read."""

    @property
    def objects(self) -> Objects: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def backends(self) -> Backends: ...
    @property
    def routes(self) -> Routes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The last judgement and what it was made of; the same tick is judged once."""

    subject: Subject
    tick: int
    judgement: Judgement


@dataclass(slots=True, kw_only=True)
class Observer:
    """One Model's snapshot at a time. Holds caches only: losing them costs a query."""

    platform: Sources
    evidence: Evidence
    _judged: dict[str, Judged] = field(default_factory=dict)

    async def __call__(self, name: str) -> Snapshot:
        now = datetime.now(UTC)
        model, versions = await self.platform.objects.read(name)
        runs = await self.platform.runs.observe(name)
        backends = await self.platform.backends.observe(name)
        routes = await self.platform.routes.observe(name)
        return Snapshot(
            now=now,
            model=model,
            versions=versions,
            runs=runs,
            backends=backends,
            routes=routes,
            baseline=await self._baseline(model, now),
            analysis=await self._analysis(model, versions, now),
            in_flight=await self.evidence.in_flight(),
        )

    async def _baseline(self, model: Model | None, now: datetime) -> Baseline:
        if model is None or model.status.stable is None:
            return Baseline()
        return await self.evidence.baseline(model.metadata.name, model.status.stable, now)

    async def _analysis(
        self, model: Model | None, versions: tuple[ModelVersion, ...], now: datetime
    ) -> Analysis | None:
        subject = subject_of(model, versions) if model is not None else None
        if subject is None:
            return None
        try:
            return await self._judge(subject)
        except Transient as error:
            tick = int(now.timestamp()) // TICK_SECONDS
            return Analysis(version=subject.candidate, error=str(error), error_tick=tick)

    async def _judge(self, subject: Subject) -> Analysis:
        watermark = await self.evidence.watermark()
        tripped = await self.evidence.guard_tripped(subject)
        if watermark is None:
            nobody = Judgement(verdict=Verdict.NO_DATA, message="no gateway reports")
            return Analysis(version=subject.candidate, judgement=nobody, guard_tripped=tripped)
        if subject.kind is Watched.SHADOW:
            requests, bad = await self.evidence.shadow(subject, watermark)
            return Analysis(
                version=subject.candidate,
                guard_tripped=tripped,
                shadow_requests=requests,
                shadow_bad=bad,
            )
        judgement = await self._judgement(subject, watermark)
        return Analysis(version=subject.candidate, judgement=judgement, guard_tripped=tripped)

    async def _judgement(self, subject: Subject, watermark: datetime) -> Judgement:
        tick = int(watermark.timestamp()) // TICK_SECONDS
        last = self._judged.get(subject.model)
        if last is not None and (last.subject, last.tick) == (subject, tick):
            return last.judgement
        ticks = await self.evidence.ticks(subject, watermark)
        if subject.stable is None:
            judgement = judge_first_version(ticks, plan=subject.plan)
        else:
            before = await self.evidence.stable_before(subject)
            judgement = judge(ticks, plan=subject.plan, step=subject.step, stable_before=before)
        self._judged[subject.model] = Judged(subject=subject, tick=tick, judgement=judgement)
        await self.evidence.record(subject, judgement, utc(tick * TICK_SECONDS))
        return judgement
