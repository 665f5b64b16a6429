"""What the API server answered, as the operator's errors. Pure.

Transient: it will pass (429, 5xx, an expired token or list, no answer). Conflict: somebody wrote
first, or the object is not there to be written. Terminal: a person has to change something, and the
message says what.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from slipway_contracts.conditions import Reason
from slipway_operator.errors import Conflict, OperatorError, Terminal, Transient

BUSY_DELAY_SECONDS = 1.0
BROKEN_DELAY_SECONDS = 2.0
DELAY_LIMIT_SECONDS = 30.0


class Missing(Conflict):
    """404: there is no such object. A Conflict to whoever wanted to write it."""


class UnknownKind(Transient):
    """404 of a whole collection: its CustomResourceDefinition is not installed."""


def error_of(status: int, data: bytes, headers: Mapping[str, str], *, doing: str) -> OperatorError:
    """A failed answer → what to raise. ``doing`` names verb and object."""
    said = _status(data)
    text = f"{doing}: {said.get('message') or data[:200].decode(errors='replace')} ({status})"
    match status:
        case 404:
            return _missing(said, text)
        case 409:
            return Conflict(text)
        case 410:
            return Transient(text, delay=0.1)
        case 401:
            return Transient(f"{text}; the ServiceAccount's token is renewed", delay=1.0)
        case 408 | 429 | 503 | 504:
            return Transient(text, delay=_delay(said, headers, BUSY_DELAY_SECONDS))
        case 403:
            return _forbidden(text)
        case 413 | 400 | 405 | 406 | 415 | 422:
            return Terminal(
                f"{text}; change that field, or bring chart and CRDs to the operator's version",
                reason=Reason.INVALID,
            )
    return Transient(text, delay=_delay(said, headers, BROKEN_DELAY_SECONDS))


def _missing(said: dict[str, Any], text: str) -> OperatorError:
    if not (said.get("details") or {}).get("name"):
        return UnknownKind(f"{text}; install its CustomResourceDefinition", delay=10.0)
    return Missing(text)


def _forbidden(text: str) -> OperatorError:
    if "exceeded quota" in text:
        return Terminal(
            f"{text}; raise the namespace's ResourceQuota or free some of it",
            reason=Reason.INSUFFICIENT_CAPACITY,
        )
    if "is being terminated" in text:
        return Transient(f"{text}; the namespace goes, nothing is left to do", delay=5.0)
    return Terminal(
        f"{text}; give the operator's Role this verb, or change what admission refused",
        reason=Reason.INVALID,
    )


def _status(data: bytes) -> dict[str, Any]:
    """The ``Status`` object in an answer's body; empty where a proxy answered instead."""
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _delay(said: dict[str, Any], headers: Mapping[str, str], otherwise: float) -> float:
    """Retry-After in seconds, from the header or the body, within reason."""
    asked = headers.get("Retry-After") or (said.get("details") or {}).get("retryAfterSeconds")
    try:
        seconds = float(asked) if asked else otherwise
    except ValueError:
        return otherwise
    return min(max(seconds, 0.1), DELAY_LIMIT_SECONDS)
