"""The local guard of VERDICTS.md: few units, a candidate that fails half of them.

Counts are uncapped and per process, since the rollout began: candidate ≥ 50 % bad over ≥ 20
requests while stable is < 10 % → this process stops sending to the candidate at once and says so;
the operator need not be there. ``Guard`` is pure state; ``Watch`` shows it every ended attempt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from slipway_contracts.attempt import Attempt
from slipway_gateway.control.route import GuardRule
from slipway_gateway.control.table import RouteTable

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Arm:
    requests: int = 0
    bad: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tripped:
    """The guard of one rollout has just tripped in this process."""

    model: str
    rollout_id: str
    candidate_requests: int
    candidate_bad: int


class Guard:
    """Counts for the rollouts that the routes name now."""

    def __init__(self) -> None:
        self._arms: dict[tuple[str, str], tuple[_Arm, _Arm]] = {}
        self._tripped: set[tuple[str, str]] = set()

    def is_tripped(self, model: str, rollout_id: str) -> bool:
        """True once this rollout's guard has tripped here; it stays so."""
        return (model, rollout_id) in self._tripped

    def keep_only(self, rollouts: set[tuple[str, str]]) -> None:
        """Forget rollouts that no route names any more."""
        self._arms = {key: arms for key, arms in self._arms.items() if key in rollouts}
        self._tripped &= rollouts

    def observe(self, rule: GuardRule, attempt: Attempt) -> Tripped | None:
        """Count one ended attempt; a ``Tripped`` exactly once a rollout."""
        if attempt.version not in (rule.candidate, rule.stable) or not _counts(attempt):
            return None
        key = (attempt.model_name, rule.rollout_id)
        arms = self._arms.get(key)
        if arms is None:
            arms = self._arms[key] = (_Arm(), _Arm())
        candidate, stable = arms
        arm = candidate if attempt.version == rule.candidate else stable
        arm.requests += 1
        arm.bad += is_bad(attempt)
        if key in self._tripped or not _trips(rule, candidate, stable):
            return None
        self._tripped.add(key)
        return Tripped(
            model=attempt.model_name,
            rollout_id=rule.rollout_id,
            candidate_requests=candidate.requests,
            candidate_bad=candidate.bad,
        )


class Watch:
    """Looks at every ended attempt; what has tripped is told to ``report``."""

    def __init__(self, guard: Guard, table: RouteTable, report: Callable[[Tripped], None]) -> None:
        self._guard = guard
        self._table = table
        self._report = report

    def observe(self, attempt: Attempt) -> None:
        """One more."""
        route = self._table.get(attempt.model_name)
        if route is None or route.guard is None:
            return
        tripped = self._guard.observe(route.guard, attempt)
        if tripped is not None:
            logger.warning(
                "guard tripped: nothing more to %s",
                route.guard.candidate,
                extra={"model": route.model, "version": route.guard.candidate},
            )
            self._report(tripped)


def is_bad(attempt: Attempt) -> bool:
    """An answer that is useless to who asked. Slow and truncated ones are the operator's to judge:
    a stable version that is often truncated must not hide a candidate that fails."""
    return bool(attempt.error or attempt.refused or attempt.empty or attempt.schema_invalid)


def _counts(attempt: Attempt) -> bool:
    """A copy is not traffic; a call that its client left has no outcome, unless it broke first."""
    return not attempt.shadow and (attempt.error or not attempt.client_gone)


def _trips(rule: GuardRule, candidate: _Arm, stable: _Arm) -> bool:
    if candidate.requests < rule.min_requests or stable.requests == 0:
        return False
    enough = candidate.bad >= rule.candidate_bad * candidate.requests
    return enough and stable.bad < rule.stable_bad * stable.requests
