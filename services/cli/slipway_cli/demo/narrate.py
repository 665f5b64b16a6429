"""What happens now, and why, as lines for a person: status and route changes into sentences.

Says each thing once and progress now and then; the choice of what is worth a line is here and
nowhere else.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from slipway_cli.demo.ledger import Entry, parse_entries
from slipway_cli.demo.timeline import RoutePoint
from slipway_contracts.conditions import ConditionType
from slipway_contracts.model_version import ModelVersion

STEPS_A_LINE = 50
DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
VERDICT_SECONDS = 20.0
# Routes and verdicts have lines of their own.
TOLD_OTHERWISE = frozenset({ConditionType.TRAFFIC_APPLIED, ConditionType.ANALYSIS_HEALTHY})
TRAFFIC_SECONDS = 20.0


def status_lines(before: ModelVersion | None, after: ModelVersion) -> list[str]:
    """What a status change says: the conditions that changed, else the phase; then training."""
    phase = after.status.phase.value
    old = {c.type: (c.status, c.reason) for c in before.status.conditions} if before else {}
    said = [
        f"{phase} · {condition.type}: {_short(condition.message)}"
        for condition in after.status.conditions
        if condition.message
        and condition.type not in TOLD_OTHERWISE
        and old.get(condition.type) != (condition.status, condition.reason)
    ]
    if not said and (before is None or before.status.phase != after.status.phase):
        said = [phase]
    return list(dict.fromkeys(said)) + _training_lines(before, after)


def _short(message: str) -> str:
    """Digests as people quote them."""
    return DIGEST.sub(r"\1…", message)


def _training_lines(before: ModelVersion | None, after: ModelVersion) -> list[str]:
    now = after.status.training
    if now is None or now.loss is None:
        return []
    was = before.status.training.step if before and before.status.training else 0
    if now.step // STEPS_A_LINE == was // STEPS_A_LINE and now.step != now.max_steps:
        return []
    if now.step == was:
        return []
    speed = f", {now.tokens_per_second:.0f} tokens/s" if now.tokens_per_second else ""
    left = f", {now.eta_seconds:.0f} s left" if now.eta_seconds else ""
    return [f"step {now.step} of {now.max_steps}, loss {now.loss:.2f}{speed}{left}"]


def route_line(point: RoutePoint) -> str:
    """Who gets how much from now on."""
    shares = ", ".join(f"{v} {weight} %" for v, weight in point.weights.items())
    copies = f"; copies to {point.shadow}" if point.shadow else ""
    return f"{shares}{copies}"


def traffic_line(entries: list[Entry], recent: list[Entry]) -> str:
    """The clients' side: totals, and who answered lately."""
    bad = sum(not entry.ok for entry in entries)
    shares = Counter(entry.version or "nobody" for entry in recent)
    lately = ", ".join(
        f"{version} {100 * count / len(recent):.0f} %" for version, count in sorted(shares.items())
    )
    return f"{len(entries)} answered, {bad} bad; lately {lately or 'nothing'}"


@dataclass(slots=True, kw_only=True)
class Narrator:
    """Prints lines with the seconds since ``origin`` (unix) and who they are about."""

    console: Console
    origin: float
    clock: Callable[[], float] = time.time
    _verdicts: dict[str, tuple[float, str, str]] = field(default_factory=dict)

    def say(self, who: str, text: str) -> None:
        """One line."""
        minutes, seconds = divmod(max(0, int(self.clock() - self.origin)), 60)
        stamp = f"{minutes:3}:{seconds:02}"
        said = f"[dim]{stamp}[/dim] [bold]{who:>8}[/bold]  {escape(text)}"
        self.console.print(said, soft_wrap=True, highlight=False)

    def version(self, before: ModelVersion | None, after: ModelVersion) -> None:
        """A status that changed."""
        for line in status_lines(before, after):
            self.say(after.metadata.name, line)
        self._verdict(after)

    def _verdict(self, version: ModelVersion) -> None:
        """A new verdict at once, new figures under the same verdict every now and then."""
        name, rollout = version.metadata.name, version.status.rollout
        if rollout is None or not rollout.verdict or not rollout.message:
            return
        at, verdict, message = self._verdicts.get(name, (0.0, "", ""))
        if (verdict, message) == (rollout.verdict, rollout.message):
            return
        if verdict != rollout.verdict or self.clock() >= at + VERDICT_SECONDS:
            self._verdicts[name] = (self.clock(), rollout.verdict, rollout.message)
            self.say(name, f"{rollout.verdict}: {rollout.message}")

    def route(self, point: RoutePoint) -> None:
        """A route that changed."""
        if point.weights:
            self.say("traffic", route_line(point))


@dataclass(slots=True, kw_only=True)
class LedgerTail:
    """Reads the growing ledger piece by piece."""

    path: Path
    entries: list[Entry] = field(default_factory=list)
    _offset: int = 0

    def read(self) -> list[Entry]:
        """The entries since the last call; a line that is still being written comes next time."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        fresh = parse_entries(whole.decode().splitlines(keepends=True))
        self.entries += fresh
        return fresh
