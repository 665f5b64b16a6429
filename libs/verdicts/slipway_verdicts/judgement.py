"""What a judgement is: the types that the lifecycle core reads.

Apart from ``judge`` so that each part (threshold, guard, …) can make one without importing the
composition. Import them from ``slipway_verdicts.judge``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Of one metric or of a whole judgement. Precedence Fail > Error > NoData > Continue > Pass."""

    FAIL = "Fail"
    ERROR = "Error"
    NO_DATA = "NoData"
    CONTINUE = "Continue"
    PASS = "Pass"


PRECEDENCE = tuple(Verdict)


def worst(verdicts: list[Verdict]) -> Verdict:
    """The one that decides; NoData when there is none (zero samples never pass)."""
    return min(verdicts, key=PRECEDENCE.index, default=Verdict.NO_DATA)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricJudgement:
    """One metric. e-values on the natural-log scale; ``None`` where the process has not begun.

    The counts are the step's own, uncapped. ``fail_log_e`` is the highest value so far (Fail is
    latched), ``pass_log_e`` the present one; the thresholds are natural logs too.
    """

    metric: str
    verdict: Verdict
    candidate_n: int = 0
    candidate_bad: int = 0
    stable_n: int = 0
    stable_bad: int = 0
    fail_log_e: float | None = None
    fail_threshold: float | None = None
    pass_log_e: float | None = None
    pass_threshold: float | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The whole: ``guard`` means that the guard tripped (then ``verdict`` is Fail).

    ``requests_needed``: candidate requests still missing for Pass if they all came back good; None
    when unknown. ``message`` is one sentence for the pager.
    """

    verdict: Verdict
    guard: bool = False
    metrics: tuple[MetricJudgement, ...] = ()
    requests_needed: int | None = None
    message: str = ""
