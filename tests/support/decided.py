"""Asking a decision short questions: phase, condition, weights of the route."""

from __future__ import annotations

from dataclasses import dataclass

from slipway_contracts.conditions import find_condition
from slipway_contracts.model_version import ModelVersionStatus
from slipway_operator.core.decide import decide, fed_back
from slipway_operator.core.decision import Decision
from slipway_operator.core.snapshot import Snapshot


@dataclass(frozen=True)
class Decided:
    """One decision; deciding again on it was checked to change nothing."""

    decision: Decision

    def status(self, name: str = "v2") -> ModelVersionStatus:
        return self.decision.version_statuses[name]

    def phase(self, name: str = "v2") -> str:
        return self.status(name).phase.value

    def condition(self, kind: str, name: str = "v2"):
        return find_condition(self.status(name).conditions, kind)

    def said(self, kind: str, name: str = "v2") -> str | None:
        """``Status/Reason`` of a condition."""
        found = self.condition(kind, name)
        return f"{found.status.value}/{found.reason.value}" if found else None

    def model_said(self, kind: str) -> str:
        found = find_condition(self.decision.model_status.conditions, kind)
        return f"{found.status.value}/{found.reason.value}"

    def ending(self, name: str = "v2") -> str | None:
        ending = self.status(name).ending
        return f"{ending.phase.value}/{ending.reason.value}" if ending else None

    def outcome(self, name: str = "v2") -> str | None:
        outcome = self.status(name).outcome
        return f"{outcome.phase.value}/{outcome.reason.value}" if outcome else None

    @property
    def weights(self) -> dict[str, int]:
        route = self.decision.route
        return {b.version: b.weight for b in route.backends} if route is not None else {}

    @property
    def listed(self) -> set[str]:
        return {backend.version for backend in self.decision.backends}

    @property
    def reasons(self) -> list[str]:
        return [event.reason.value for event in self.decision.events]


def decided(snapshot: Snapshot) -> Decided:
    """Decide, and check that deciding on what was decided changes nothing."""
    decision = decide(snapshot)
    again = decide(fed_back(snapshot, decision))
    assert again.version_statuses == decision.version_statuses
    assert again.model_status == decision.model_status
    assert (again.runs, again.backends, again.route) == (
        decision.runs,
        decision.backends,
        decision.route,
    )
    assert again.events == ()
    return Decided(decision)
