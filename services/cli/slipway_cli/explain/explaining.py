"""The whole explanation, in the order in which a person asks: where, why, how long, what next."""

from __future__ import annotations

from dataclasses import dataclass

from slipway_cli.explain.clocks import clocks
from slipway_cli.explain.evidence import evidence
from slipway_cli.explain.outlook import actions, outlook
from slipway_cli.explain.situation import Situation
from slipway_cli.explain.standing import standing, waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Sentences by what they answer."""

    stands: tuple[str, ...]
    waits: str
    evidence: tuple[str, ...]
    clocks: tuple[str, ...]
    next: str
    actions: tuple[str, ...]

    @property
    def paragraph(self) -> str:
        """Where it stands, why, and what is next, as running text."""
        return " ".join(filter(None, [*self.stands, self.waits, self.next]))

    def lines(self) -> list[str]:
        """For the terminal."""
        lines = [*self.stands, *([self.waits] if self.waits else [])]
        lines += _block("Evidence", self.evidence)
        lines += _block("Clocks", self.clocks)
        lines.append(self.next)
        return lines + _block("You can", self.actions)


def explain(situation: Situation) -> Explanation:
    """Every part; those that say nothing here are empty."""
    return Explanation(
        stands=tuple(standing(situation)),
        waits=waiting(situation),
        evidence=tuple(evidence(situation)),
        clocks=tuple(clocks(situation)),
        next=outlook(situation),
        actions=tuple(actions(situation)),
    )


def _block(title: str, lines: tuple[str, ...]) -> list[str]:
    return [f"{title}:", *(f"  {line}" for line in lines)] if lines else []
