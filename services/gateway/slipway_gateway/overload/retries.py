"""A budget for second attempts: retries must not turn a backend's bad minute into a storm.

A token bucket that requests fill: each brings ``share`` of a token, and time brings
``per_second``, so that a quiet gateway may still retry. It never holds more than ``burst``. Over
any span retries ≤ share × requests + per_second × seconds + burst. Pure; monotonic seconds.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """``share`` of the requests, plus ``per_second``, with at most ``burst`` saved up."""

    share: float = 0.2
    per_second: float = 1.0
    burst: float = 20.0


class RetryBudget:
    """One budget, for all requests that share a fate: a process, or a Model."""

    __slots__ = ("_burst", "_filled_at", "_per_second", "_share", "_tokens")

    def __init__(self, rule: RetryRule | None = None) -> None:
        rule = rule or RetryRule()
        self._share = rule.share
        self._per_second = rule.per_second
        self._burst = rule.burst
        self._tokens = rule.burst
        self._filled_at: float | None = None

    def requested(self) -> None:
        """A first attempt was made."""
        tokens = self._tokens + self._share
        self._tokens = tokens if tokens < self._burst else self._burst

    def spend(self, now: float) -> bool:
        """Take one retry; False when there is none: answer with the first attempt's failure."""
        if self._filled_at is not None and now > self._filled_at:
            grown = self._tokens + (now - self._filled_at) * self._per_second
            self._tokens = min(self._burst, grown)
        if self._filled_at is None or now > self._filled_at:
            self._filled_at = now
        # A sum of fifths falls short of a whole by rounding.
        if self._tokens < 1.0 - 1e-9:
            return False
        self._tokens -= 1.0
        return True
