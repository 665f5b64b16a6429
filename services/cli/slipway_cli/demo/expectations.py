"""What the demo promises, each promise a small function of the evidence. Pure.

An expectation is either met by something measured or it is not met: missing evidence is a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from slipway_cli.demo.cast import BETTER, FIRST, HOPELESS, WORSE
from slipway_cli.demo.evidence import shadowed
from slipway_cli.demo.findings import Evidence, Findings
from slipway_contracts.conditions import ConditionStatus, ConditionType, Phase, Reason
from slipway_contracts.conditions import find_condition as _find
from slipway_contracts.model_version import ModelVersion
from slipway_contracts.names import attempt_id, child_name

# So many good answers from the stable version after the rollback count as "serves on".
SERVES_ON = 20
LIVE_PHASES = frozenset(
    {Phase.DEPLOYING, Phase.SHADOWING, Phase.CANARY, Phase.PROMOTING, Phase.SERVING}
)

Expectation = Callable[[Evidence, Findings], bool]


def expect(evidence: Evidence, findings: Findings) -> dict[str, bool]:
    """Every expectation by name, in the order of the story."""
    expected = EXPECTATIONS | (WATCHED if evidence.watched else {})
    return {name: met(evidence, findings) for name, met in expected.items()}


def has_condition(version: ModelVersion | None, kind: ConditionType) -> bool:
    """Whether the condition is there and True."""
    found = _find(version.status.conditions, kind) if version is not None else None
    return found is not None and found.status is ConditionStatus.TRUE


def in_order(wanted: Sequence[int], seen: Sequence[int]) -> bool:
    """``wanted`` is a subsequence of ``seen``."""
    rest = iter(seen)
    return all(weight in rest for weight in wanted)


def backend_of(version: ModelVersion) -> str:
    """The backend's name: as stated, else as it would be named."""
    status = version.status
    attempt = status.attempt or attempt_id(version.spec.retry.id)
    return status.backend or child_name(version.metadata.name, version.metadata.uid, attempt)


def _first_version_promoted(evidence: Evidence, _: Findings) -> bool:
    return (
        has_condition(evidence.versions.get(FIRST), ConditionType.TRAINING_COMPLETE)
        and evidence.timeline.first_as(FIRST, "stable") is not None
        and evidence.first_answer_at is not None
    )


def _passed_gate(evidence: Evidence, _: Findings) -> bool:
    """Non-inferior: judged against the first version's own figure, on samples."""
    version = evidence.versions.get(BETTER)
    judged = version.status.evaluation if version is not None else None
    return (
        judged is not None
        and has_condition(version, ConditionType.EVALUATION_PASSED)
        and judged.baseline == FIRST
        and any(gate.passed and gate.samples and gate.baseline for gate in judged.gates)
    )


def _shadowed_first(evidence: Evidence, _: Findings) -> bool:
    first = evidence.timeline.weights_of(BETTER)
    before = [row for row in evidence.log.attempts if first and row.started_at < first[0][0]]
    return shadowed(before, BETTER) > 0


def _climbed(evidence: Evidence, _: Findings) -> bool:
    weights = [weight for _at, weight in evidence.timeline.weights_of(BETTER)]
    return in_order((10, 50, 100), weights)


def _promoted_on_evidence(evidence: Evidence, _: Findings) -> bool:
    version = evidence.versions.get(BETTER)
    rollout = version.status.rollout if version is not None else None
    return (
        rollout is not None
        and rollout.decided_by in {Reason.PROMOTED, Reason.ANALYSIS_PASSED}
        and evidence.timeline.first_as(BETTER, "stable") is not None
    )


def _promoted_without_restart(evidence: Evidence, _: Findings) -> bool:
    """Each deployment of its application only ever had the one replica it began with."""
    version = evidence.versions.get(BETTER)
    seen = evidence.replicas.get(backend_of(version), set()) if version is not None else set()
    return bool(seen) and len({r.deployment for r in seen}) == len(seen)


def _worse_passed_evaluation(evidence: Evidence, _: Findings) -> bool:
    return has_condition(evidence.versions.get(WORSE), ConditionType.EVALUATION_PASSED)


def _worse_rolled_back(evidence: Evidence, _: Findings) -> bool:
    version = evidence.versions.get(WORSE)
    rollout = version.status.rollout if version is not None else None
    return (
        version is not None
        and rollout is not None
        and version.status.phase is Phase.ROLLED_BACK
        and rollout.decided_by in {Reason.ANALYSIS_FAILED, Reason.GUARD_TRIPPED}
    )


def _worse_was_worse_live(_: Evidence, findings: Findings) -> bool:
    return len(findings.bad_answers) > 0


def _rolled_back_fast(evidence: Evidence, findings: Findings) -> bool:
    seconds = findings.rollback.seconds
    return seconds is not None and seconds <= evidence.bars.rollback_seconds


def _nothing_after_rollback(evidence: Evidence, findings: Findings) -> bool:
    applied = findings.rollback.applied_at
    return applied is not None and not any(
        row.version == WORSE and not row.shadow and row.started_at > applied
        for row in evidence.log.attempts
    )


def _better_serves_on(evidence: Evidence, findings: Findings) -> bool:
    applied = findings.rollback.applied_at
    later = [e for e in evidence.entries if applied is not None and e.sent > applied]
    return (
        len(later) >= SERVES_ON
        and all(entry.ok and entry.version == BETTER for entry in later)
        and evidence.model is not None
        and evidence.model.status.stable == BETTER
    )


def _hopeless_rejected(evidence: Evidence, _: Findings) -> bool:
    version = evidence.versions.get(HOPELESS)
    judged = _find(version.status.conditions, ConditionType.EVALUATION_PASSED) if version else None
    return (
        version is not None
        and version.status.phase is Phase.REJECTED
        and judged is not None
        and judged.reason is Reason.GATE_FAILED
    )


def _hopeless_never_ran(evidence: Evidence, _: Findings) -> bool:
    version = evidence.versions.get(HOPELESS)
    if version is None:
        return False
    return (
        bool(evidence.replicas)
        and backend_of(version) not in evidence.replicas
        and not LIVE_PHASES & set(evidence.phases.get(HOPELESS, ()))
        and HOPELESS not in evidence.timeline.versions()
        and not any(row.version == HOPELESS for row in evidence.log.attempts)
    )


def _complete(evidence: Evidence, findings: Findings) -> bool:
    sent = bool(evidence.entries) and not findings.repeated
    return sent and evidence.shipped and not findings.join.missing


def _quiet_while_healthy(evidence: Evidence, findings: Findings) -> bool:
    bad = findings.first_bad_at
    if evidence.alarms is None or bad is None:
        return False
    return all(alarm.began >= bad for alarm in evidence.alarms)


def _alert_in_time(evidence: Evidence, findings: Findings) -> bool:
    seconds = seconds_to_alert(evidence, findings)
    return seconds is not None and seconds <= evidence.bars.alert_seconds


def seconds_to_alert(evidence: Evidence, findings: Findings) -> float | None:
    """From the worse version's first bad answer to the first alert that began after it."""
    bad = findings.first_bad_at
    if bad is None:
        return None
    later = [alarm.began - bad for alarm in evidence.alarms or () if alarm.began >= bad]
    return min(later, default=None)


# Judged where a Prometheus watches.
WATCHED: dict[str, Expectation] = {
    "no_alert_while_healthy": _quiet_while_healthy,
    "alert_after_v3s_first_bad_answer_in_time": _alert_in_time,
}
EXPECTATIONS: dict[str, Expectation] = {
    "v1_trained_and_promoted_as_first_version": _first_version_promoted,
    "v2_passed_non_inferiority_gate": _passed_gate,
    "v2_shadowed_before_traffic": _shadowed_first,
    "v2_went_10_50_100": _climbed,
    "v2_promoted_on_evidence": _promoted_on_evidence,
    "v2_promoted_without_restart": _promoted_without_restart,
    "v3_passed_offline_evaluation": _worse_passed_evaluation,
    "v3_was_worse_live": _worse_was_worse_live,
    "v3_rolled_back_automatically": _worse_rolled_back,
    "v3_rolled_back_in_time": _rolled_back_fast,
    "v3_got_nothing_after_rollback": _nothing_after_rollback,
    "v2_serves_on": _better_serves_on,
    "v4_rejected_by_its_gate": _hopeless_rejected,
    "v4_never_had_a_backend": _hopeless_never_ran,
    "ledger_complete": _complete,
    "ledger_without_duplicates": lambda _, found: not found.join.duplicates,
    "ledger_versions_match": lambda _, found: not found.join.version_mismatches,
    "conversations_stayed": lambda _, found: not found.sticky,
    "nothing_failed_on_stable": lambda seen, found: (
        bool(seen.entries) and not found.failed_on_stable
    ),
    "environment_in_time": lambda seen, _: _within(
        seen.started_at - seen.made_at, seen.bars.environment_seconds
    ),
    "first_answer_in_time": lambda seen, _: (
        seen.first_answer_at is not None
        and _within(seen.first_answer_at - seen.started_at, seen.bars.first_answer_seconds)
    ),
    "everything_in_time": lambda seen, _: _within(
        seen.ended_at - seen.made_at, seen.bars.total_seconds
    ),
    "peak_memory_within_bounds": lambda seen, _: (
        seen.bars.peak_gib is None or 0 < seen.peak_pss_bytes <= seen.bars.peak_gib * 2**30
    ),
}


def _within(seconds: float, bar: float | None) -> bool:
    return bar is None or seconds <= bar
