"""The way to a backend: its circuit, its queue, and the budget for second attempts, as one thing.

An attempt asks for a ``Place``, which is admitted at once or told later; it says when the first
byte came and how it ended. Pure and synchronous; monotonic seconds come from the caller.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from math import ceil

from slipway_gateway.errors import NoCapacity
from slipway_gateway.overload.breaker import Breakers
from slipway_gateway.overload.queue import Asker, OnTurn, Turn
from slipway_gateway.overload.queues import Queues
from slipway_gateway.overload.retries import RetryBudget


class Outcome(Enum):
    """What an attempt says about its backend."""

    ANSWERED = "answered"
    FAILED = "failed"
    ERROR = "error"
    """It answered, that it has failed on this request."""
    REFUSED = "refused"
    """It had no room: down for now, and given less at once."""
    BUSY = "busy"
    """It answers, but has no room."""
    UNKNOWN = "unknown"
    """The client left, or the attempt was never sent."""


class Place:
    """One attempt at one backend. ``began``: when it asked for its place. ``timed``: nobody but the
    backend made its answer wait."""

    __slots__ = ("_gate", "_open", "backend", "began", "timed", "turn")

    def __init__(self, gate: Gate, backend: str, began: float, turn: Turn) -> None:
        self._gate = gate
        self._open = True
        self.backend = backend
        self.began = began
        self.turn = turn
        self.timed = True

    def first_byte(self, now: float) -> None:
        """The answer begins."""
        self._gate.queues.answered(self.backend, self.turn, now)

    def served(self, now: float, *, tokens: int, prompt: int) -> None:
        """The whole answer has come; call it before ``end``."""
        if self.timed:
            self._gate.queues.served(self.backend, self.turn, now, tokens=tokens, prompt=prompt)

    def end(self, outcome: Outcome, now: float) -> None:
        """The attempt is over; a second call does nothing."""
        if not self._open:
            return
        self._open = False
        breakers, queues = self._gate.breakers, self._gate.queues
        match outcome:
            case Outcome.ANSWERED:
                breakers.succeeded(self.backend, now, began=self.began)
            case Outcome.FAILED:
                breakers.failed(self.backend, now, began=self.began)
            case Outcome.ERROR:
                breakers.failed(self.backend, now, began=self.began, alive=True)
            case Outcome.REFUSED:
                breakers.failed(self.backend, now, began=self.began)
                queues.refused(self.backend, self.turn, now)
            case Outcome.BUSY:
                breakers.succeeded(self.backend, now, began=self.began)
                queues.refused(self.backend, self.turn, now)
            case Outcome.UNKNOWN:
                breakers.abandoned(self.backend, began=self.began)
        queues.leave(self.turn, now)


class Gate:
    """Every backend of a process."""

    def __init__(self, breakers: Breakers, queues: Queues, retries: RetryBudget) -> None:
        self.breakers = breakers
        self.queues = queues
        self.retries = retries
        # Requests that an open circuit has turned away, by backend.
        self.shut: dict[str, int] = {}

    def enter(
        self, backend: str, asker: Asker, now: float, on_turn: OnTurn, *, probing: bool = False
    ) -> Place:
        """A place, admitted or not yet. Raises NoCapacity: the circuit is open, or the queue full.

        ``probing``: ask whatever the circuit says.
        """
        if not probing and not self.breakers.allows(backend, now):
            self.shut[backend] = self.shut.get(backend, 0) + 1
            error = NoCapacity("the backend fails again and again; it is tried again soon")
            error.retry_after = max(1, ceil(self.breakers.retry_after(backend, now)))
            raise error
        try:
            turn = self.queues.enter(backend, asker, now, on_turn)
        except NoCapacity:
            # Asking may have taken the probe, and nobody will report on it.
            self.breakers.abandoned(backend, began=now)
            raise
        return Place(self, backend, now, turn)

    def forget(self, existing: Collection[str]) -> None:
        """The routes name these backends now, and no others."""
        self.breakers.forget(existing)
        self.queues.forget(existing)
        self.shut = {backend: n for backend, n in self.shut.items() if backend in existing}

    def check(self, now: float) -> None:
        """The sweep of ``Deadlines``."""
        self.queues.sweep(now)

    def stop(self) -> None:
        """Nothing is held that outlives the process."""
