"""What the evidence amounts to: figures that are computed once and read by report and expectations.

Pure. ``Evidence`` is everything that was seen and read; nothing else goes into the report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slipway_cli.demo.alarms import Alarm
from slipway_cli.demo.cast import WORSE
from slipway_cli.demo.evidence import LogEvidence
from slipway_cli.demo.ledger import (
    Entry,
    Join,
    StickyViolation,
    join_log,
    repeated_ids,
    sticky_violations,
)
from slipway_cli.demo.platform import ReplicaSeen
from slipway_cli.demo.timeline import Timeline, rising_windows
from slipway_contracts.conditions import Phase
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion
from slipway_contracts.route import HEARTBEAT_EXPIRY_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """What the platform promises; None: nothing. The defaults: a machine with 2 cores and 24 GB."""

    environment_seconds: float | None = 180
    first_answer_seconds: float | None = 360
    total_seconds: float | None = 1200
    peak_gib: float | None = 14
    rollback_seconds: float = 1.0
    alert_seconds: float = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Times are unix seconds. ``problem``: why the story ended early; empty when it did not.
    ``shipped``: the gateways' log was complete in the database when it was read. ``watched``: a
    Prometheus was there; ``alarms`` is None where its answer is not.
    """

    made_at: float
    started_at: float
    ended_at: float
    first_answer_at: float | None
    peak_pss_bytes: int
    timeline: Timeline
    model: Model | None
    versions: Mapping[str, ModelVersion]
    phases: Mapping[str, Sequence[Phase]]
    replicas: Mapping[str, set[ReplicaSeen]]
    entries: Sequence[Entry]
    log: LogEvidence = field(default_factory=LogEvidence)
    shipped: bool = True
    watched: bool = False
    alarms: Sequence[Alarm] | None = None
    problem: str = ""
    bars: Bars = field(default_factory=Bars)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """``verdict_at``: the operator's decision or a gateway's guard, whichever was first.
    ``applied_at``: when the last live gateway had confirmed the route without the version.
    """

    verdict_at: float | None = None
    applied_at: float | None = None

    @property
    def seconds(self) -> float | None:
        """From the verdict to all gateways; None where one of the two was never seen."""
        if self.verdict_at is None or self.applied_at is None:
            return None
        return max(0.0, self.applied_at - self.verdict_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The judged ledger. ``repeated``: ids that the ledger itself holds twice."""

    join: Join
    sticky: tuple[StickyViolation, ...]
    repeated: tuple[str, ...]
    failed: tuple[Entry, ...]
    failed_on_stable: tuple[Entry, ...]
    bad_answers: tuple[Entry, ...]
    rollback: Rollback

    @property
    def first_bad_at(self) -> float | None:
        """When the first request that the worse version spoilt was sent."""
        return min((entry.sent for entry in self.bad_answers), default=None)


def find(evidence: Evidence) -> Findings:
    """All figures of the report that need more than counting."""
    failed = tuple(entry for entry in evidence.entries if not entry.ok)
    return Findings(
        join=join_log(evidence.entries, evidence.log.attempts),
        sticky=sticky_violations(evidence.entries, rising_windows(evidence.timeline)),
        repeated=repeated_ids(evidence.entries),
        failed=failed,
        failed_on_stable=tuple(e for e in failed if not was_candidate(evidence.timeline, e)),
        bad_answers=tuple(e for e in failed if e.version == WORSE),
        rollback=find_rollback(evidence),
    )


def was_candidate(timeline: Timeline, entry: Entry) -> bool:
    """Whether the version that answered was still on trial when the request was sent.

    A request that nobody answered counts against the stable version.
    """
    if entry.version is None:
        return False
    on_trial = timeline.first_as(entry.version, "candidate")
    promoted = timeline.first_as(entry.version, "stable")
    return on_trial is not None and (promoted is None or entry.sent < promoted)


def find_rollback(evidence: Evidence) -> Rollback:
    """The worse version's end, from its status, the guard's trips, routes and heartbeats."""
    version = evidence.versions.get(WORSE)
    rollout = version.status.rollout if version is not None else None
    began = evidence.timeline.first_as(WORSE, "candidate")
    decided = [rollout.decided_at.timestamp()] if rollout and rollout.decided_at else []
    tripped = [at for at in evidence.log.tripped if began is not None and at >= began]
    verdict_at = min(decided + tripped, default=None)
    last = evidence.timeline.withdrawn(WORSE)
    if verdict_at is None or last is None:
        return Rollback(verdict_at=verdict_at)
    return Rollback(
        verdict_at=verdict_at,
        applied_at=evidence.timeline.applied_everywhere(
            last.revision, since=verdict_at - HEARTBEAT_EXPIRY_SECONDS
        ),
    )
