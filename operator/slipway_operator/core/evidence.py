"""The snapshot's analysis → one reading of it for one version.

Zero samples, a missing analysis and evidence on somebody else are NoData; whatever could not be
read or is not a number is Error. Neither is ever a Pass.
"""

from __future__ import annotations

from dataclasses import dataclass

from slipway_contracts.conditions import Reason
from slipway_operator.core.draft import Draft, VersionDraft
from slipway_verdicts.judge import Judgement, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the evidence says now. ``reason`` is that of a rollback where ``verdict`` is Fail."""

    verdict: Verdict
    reason: Reason
    message: str
    error_tick: int = 0
    requests: int = 0
    bad: int = 0
    needed: int | None = None
    shadow_requests: int = 0
    shadow_bad: int = 0


_REASONS = {
    Verdict.FAIL: Reason.ANALYSIS_FAILED,
    Verdict.ERROR: Reason.METRICS_UNAVAILABLE,
    Verdict.NO_DATA: Reason.NO_DATA,
    Verdict.CONTINUE: Reason.ANALYSIS_RUNNING,
    Verdict.PASS: Reason.ANALYSIS_PASSED,
}
_WORDS = {
    Verdict.FAIL: "worse than allowed",
    Verdict.ERROR: "the evidence cannot be read; the weight is held",
    Verdict.NO_DATA: "no request was judged yet; the weight is held",
    Verdict.CONTINUE: "not decided yet; the weight is held",
    Verdict.PASS: "good enough for this step",
}


def read_evidence(draft: Draft, v: VersionDraft) -> Reading:
    """The reading of ``snapshot.analysis`` for ``v``."""
    analysis = draft.snapshot.analysis
    if analysis is None or analysis.version not in {"", v.name}:
        return _reading(Verdict.NO_DATA)
    judgement = analysis.judgement
    if analysis.guard_tripped or (judgement is not None and judgement.guard):
        said = judgement.message if judgement is not None else ""
        return Reading(
            verdict=Verdict.FAIL,
            reason=Reason.GUARD_TRIPPED,
            message=said or "the guard saw at least half of the candidate's requests fail",
        )
    if judgement is None:
        # no judgement and no error: nothing was judged yet, such as in the shadow phase
        verdict = Verdict.ERROR if analysis.error else Verdict.NO_DATA
        return _reading(verdict, message=analysis.error, error_tick=analysis.error_tick,
                        shadow=(analysis.shadow_requests, analysis.shadow_bad))  # fmt: skip
    return _reading(
        judgement.verdict,
        message=judgement.message,
        error_tick=analysis.error_tick,
        judgement=judgement,
        shadow=(analysis.shadow_requests, analysis.shadow_bad),
    )


def _reading(
    verdict: Verdict,
    *,
    message: str = "",
    error_tick: int = 0,
    judgement: Judgement | None = None,
    shadow: tuple[int, int] = (0, 0),
) -> Reading:
    metrics = judgement.metrics if judgement is not None else ()
    return Reading(
        verdict=verdict,
        reason=_REASONS[verdict],
        message=message or _WORDS[verdict],
        error_tick=error_tick,
        requests=max((metric.candidate_n for metric in metrics), default=0),
        bad=max((metric.candidate_bad for metric in metrics), default=0),
        needed=judgement.requests_needed if judgement is not None else None,
        shadow_requests=shadow[0],
        shadow_bad=shadow[1],
    )
