"""The counts that a judgement is made of: per metric, arm, step and closed 5 s tick."""

from __future__ import annotations

from dataclasses import dataclass

TICK_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCounts:
    """One arm in one tick. ``n``/``bad`` are uncapped requests and bad events.

    ``risk_n``/``risk_bad`` are at-risk: a unit leaves both after its first bad event of that metric
    in that step.
    """

    n: int = 0
    bad: int = 0
    risk_n: int = 0
    risk_bad: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One metric in one closed tick (``tick`` = unix seconds // 5). Never spans two steps."""

    metric: str
    step: int
    tick: int
    candidate: ArmCounts
    stable: ArmCounts
