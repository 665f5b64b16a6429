"""``Evidence`` out of PostgreSQL, the same on both platforms.

Finished steps never change once the watermark has passed them, so their counts are kept; so is the
baseline, which is an hour's figure and need not be read at every pass.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from slipway_operator.core.snapshot import Baseline
from slipway_operator.platforms.heartbeats import Heartbeats
from slipway_operator.platforms.store_errors import operator_errors
from slipway_operator.subject import Subject
from slipway_store import measurements
from slipway_store.connect import Pool
from slipway_store.counts import CountRow, StepWindow, rollout_counts
from slipway_store.routes import guard_trips, lowest_watermark
from slipway_store.traffic import baseline, shadow_counts
from slipway_verdicts.counts import ArmCounts, Tick
from slipway_verdicts.judgement import Judgement

BASELINE_SECONDS = 10.0
# Stable's rates from before the rollout are those of this long; a step is compared with them.
BEFORE = timedelta(minutes=10)
# The arm that a window from before the rollout is counted as.
BEFORE_STEP = -1


@dataclass(slots=True)
class PostgresEvidence:
    """The ``Evidence`` port. Caches hold what cannot change, or may be some seconds old."""

    pool: Pool
    beats: Heartbeats | None = None
    _ended: dict[tuple[str, StepWindow], list[CountRow]] = field(default_factory=dict)
    _before: dict[str, Mapping[str, ArmCounts]] = field(default_factory=dict)
    _baselines: dict[tuple[str, str], tuple[float, Baseline]] = field(default_factory=dict)

    async def watermark(self) -> datetime | None:
        with operator_errors():
            return await lowest_watermark(self.pool)

    async def ticks(self, subject: Subject, watermark: datetime) -> Sequence[Tick]:
        rows: list[CountRow] = []
        with operator_errors():
            for window in subject.windows:
                rows += await self._window(subject, window, watermark)
        return ticks_of(rows)

    async def _window(
        self, subject: Subject, window: StepWindow, watermark: datetime
    ) -> list[CountRow]:
        key = (subject.rollout_id, window)
        if key in self._ended:
            return self._ended[key]
        rows = await rollout_counts(
            self.pool,
            model=subject.model,
            candidate=subject.candidate,
            stable=subject.stable,
            steps=(window,),
            watermark=watermark,
        )
        if window.ended_at is not None and watermark > window.ended_at:
            self._ended[key] = rows
        return rows

    async def stable_before(self, subject: Subject) -> Mapping[str, ArmCounts]:
        if subject.stable is None or not subject.windows:
            return {}
        if subject.rollout_id not in self._before:
            first = subject.windows[0]
            window = StepWindow(
                index=BEFORE_STEP,
                started_at=subject.began - BEFORE,
                ended_at=subject.began,
                ttft_ms=first.ttft_ms,
                token_ms=first.token_ms,
            )
            with operator_errors():
                rows = await rollout_counts(
                    self.pool,
                    model=subject.model,
                    candidate=subject.stable,
                    stable=None,
                    steps=(window,),
                    watermark=subject.began,
                )
            self._before[subject.rollout_id] = _totals(rows)
        return self._before[subject.rollout_id]

    async def shadow(self, subject: Subject, watermark: datetime) -> tuple[int, int]:
        if subject.shadow_since is None:
            return 0, 0
        with operator_errors():
            return await shadow_counts(
                self.pool,
                model=subject.model,
                version=subject.candidate,
                since=subject.shadow_since,
                watermark=watermark,
            )

    async def baseline(self, model: str, version: str, now: datetime) -> Baseline:
        read_at, kept = self._baselines.get((model, version), (0.0, Baseline()))
        if read_at and time.monotonic() - read_at < BASELINE_SECONDS:
            return kept
        with operator_errors():
            found = await baseline(self.pool, model=model, version=version, now=now)
        kept = Baseline(
            requests_per_second=found.requests_per_second,
            ttft_p95_ms=found.ttft_p95_ms,
            token_p95_ms=found.token_p95_ms,
        )
        self._baselines[model, version] = (time.monotonic(), kept)
        return kept

    async def guard_tripped(self, subject: Subject) -> bool:
        with operator_errors():
            return bool(await guard_trips(self.pool, subject.model, subject.rollout_id))

    async def in_flight(self) -> Mapping[str, int] | None:
        beats = await (self.beats or Heartbeats(self.pool)).live()
        if not beats:
            return None
        total: dict[str, int] = {}
        for beat in beats:
            for version, count in beat.in_flight.items():
                total[version] = total.get(version, 0) + count
        return total

    async def record(self, subject: Subject, judgement: Judgement, at: datetime) -> None:
        with operator_errors():
            await measurements.record(
                self.pool,
                model=subject.model,
                version=subject.candidate,
                attempt=subject.attempt,
                step=subject.step,
                at=at,
                verdict=judgement.verdict,
                body=asdict(judgement),
            )


def ticks_of(rows: Sequence[CountRow]) -> list[Tick]:
    """Cells by arm → ticks with both arms; an absent cell is zero."""
    arms: dict[tuple[str, int, int], dict[str, ArmCounts]] = {}
    for row in rows:
        cell = ArmCounts(n=row.n, bad=row.bad, risk_n=row.risk_n, risk_bad=row.risk_bad)
        arms.setdefault((row.metric, row.step, row.tick), {})[row.arm] = cell
    nothing = ArmCounts()
    return [
        Tick(
            metric=metric,
            step=step,
            tick=tick,
            candidate=cells.get("candidate", nothing),
            stable=cells.get("stable", nothing),
        )
        for (metric, step, tick), cells in sorted(arms.items())
    ]


def _totals(rows: Sequence[CountRow]) -> dict[str, ArmCounts]:
    totals: dict[str, ArmCounts] = {}
    for row in rows:
        so_far = totals.get(row.metric, ArmCounts())
        totals[row.metric] = ArmCounts(n=so_far.n + row.n, bad=so_far.bad + row.bad)
    return totals
