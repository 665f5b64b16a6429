"""Builders of attempts log rows for tests of what is counted from them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from slipway_contracts.attempt import Attempt, Overdue

# A tick's first moment, far from midnight.
T0 = datetime(2030, 1, 2, 3, 0, 0, tzinfo=UTC)
TICK0 = int(T0.timestamp()) // 5
_numbers = itertools.count()


def at(seconds: float) -> datetime:
    """Seconds after T0, exact to the microsecond."""
    return T0 + timedelta(microseconds=round(seconds * 1_000_000))


def attempt(end: float, *, start: float | None = None, **fields: Any) -> Attempt:
    """A good stream of ``v2`` that ended ``end`` seconds after T0, 100 ms after it began."""
    values: dict[str, Any] = {
        "request_id": f"r{next(_numbers):06}",
        "attempt": 1,
        "timestamp": at(end),
        "started_at": at(end - 0.1 if start is None else start),
        "gateway": "g",
        "route": "/v1/chat/completions",
        "model_name": "tiny",
        "version": "v2",
        "routes_revision": 1,
        "unit_hash": f"u{next(_numbers)}",
        "status": 200,
        "stream": True,
        "empty": False,
        "truncated": False,
        "processing_time_ms": 100.0,
        "ttft_ms": 50.0,
        "token_ms": 5.0,
    }
    return Attempt(**values | fields)


def overdue(when: float, *, start: float | None = None, **fields: Any) -> Overdue:
    """A stream of ``v2`` that had no first byte ``when`` seconds after T0."""
    values: dict[str, Any] = {
        "request_id": f"r{next(_numbers):06}",
        "attempt": 1,
        "timestamp": at(when),
        "started_at": at(when - 0.1 if start is None else start),
        "model_name": "tiny",
        "version": "v2",
        "unit_hash": f"u{next(_numbers)}",
    }
    return Overdue(**values | fields)
