"""Pure routing: which unit a call belongs to, and which version answers it.

Knows no web framework, no clock and no I/O, and never parses a body: the dialect hands over an
``Ask``. The buckets themselves are the route's (``Route.version_for``); here are the unit
(VERDICTS.md, Units) and the two local reasons to keep a candidate's share on the stable version.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from slipway_contracts.route import HEARTBEAT_EXPIRY_SECONDS
from slipway_gateway.ask import Ask
from slipway_gateway.control.route import Backend, Route

# Copied for each use: half the price of a new one.
_EIGHT: Final = hashlib.blake2b(digest_size=8)
_SIXTEEN: Final = hashlib.blake2b(digest_size=16)
_FINGERPRINT: Final = "f:"


@dataclass(slots=True, init=False)
class Hints:
    """What the call's head says about who asks. ``caller``: the key's id, or the address."""

    caller: str
    conversation: str | None
    user: str | None

    def __init__(
        self, caller: str, conversation: str | None = None, user: str | None = None
    ) -> None:
        self.caller = caller
        self.conversation = conversation
        self.user = user


def unit_of(route: Route, ask: Ask, hints: Hints) -> str:
    """The thing that the split assigns: a conversation, unless the route says user or key.

    User falls back to the caller when the call names no user: never to something finer, or a
    user's calls would spread.
    """
    if route.stickiness == "Key":
        return "k:" + hints.caller
    if route.stickiness == "User":
        user = hints.user or ask.user
        return f"u:{user}" if user else "k:" + hints.caller
    conversation = hints.conversation or ask.conversation
    if conversation:
        return "c:" + conversation
    return _FINGERPRINT + _fingerprint(hints.caller, ask.system, ask.first)


def _fingerprint(caller: str, system: str, first: str) -> str:
    """Of the parts, each behind its length: no two lists of parts look the same."""
    one = caller.encode("utf-8", "surrogatepass")
    two = system.encode("utf-8", "surrogatepass")
    three = first.encode("utf-8", "surrogatepass")
    digest = _SIXTEEN.copy()
    digest.update(
        b"%b%b%b%b%b%b"
        % (_length(len(one)), one, _length(len(two)), two, _length(len(three)), three)
    )
    return digest.hexdigest()


def _length(size: int) -> bytes:
    return size.to_bytes(8, "big")


def unit_hash(unit: str) -> str:
    """What the log keeps of a unit: 16 hex digits, without salt, the same in every process."""
    if unit.startswith(_FINGERPRINT):
        # It is a hash already.
        return unit[len(_FINGERPRINT) : len(_FINGERPRINT) + 16]
    digest = _EIGHT.copy()
    digest.update(unit.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def is_fenced(now: float, heard: float) -> bool:
    """True when PostgreSQL was last heard more than 10 s ago (monotonic seconds)."""
    return now - heard > HEARTBEAT_EXPIRY_SECONDS


def choose(route: Route, unit: str, *, fenced: bool, tripped: bool) -> Backend | None:
    """The backend that answers this unit; None when nothing serves.

    A fenced gateway sends nothing to a candidate, a tripped guard nothing to the version it
    watches; their share goes to the stable version. Where there is no other version, the only one
    serves on: there is nothing better.
    """
    chosen = route.version_for(unit)
    if chosen is None or not _held_back(route, chosen, fenced=fenced, tripped=tripped):
        return chosen
    return fallback(route, chosen) or chosen


def _held_back(route: Route, backend: Backend, *, fenced: bool, tripped: bool) -> bool:
    watched = route.guard is not None and backend.version == route.guard.candidate
    return (fenced and backend.role == "candidate") or (tripped and watched)


def fallback(route: Route, failed: Backend) -> Backend | None:
    """The version that takes what ``failed`` may not or cannot answer; None without another."""
    named = route.guard.stable if route.guard is not None else None
    others = [b for b in route.backends if b.version != failed.version]
    for backend in others:
        if backend.version == named:
            return backend
    for backend in others:
        if backend.role == "stable":
            return backend
    return others[0] if others and failed.role == "candidate" else None


def retry_on(route: Route, failed: Backend) -> Backend | None:
    """Where a call goes that its backend never took: the stable version, which may be the same.

    A fixed split is an experiment: its arms never answer for one another.
    """
    if failed.role in ("stable", "fixed"):
        return failed
    return fallback(route, failed)
