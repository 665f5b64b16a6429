"""W3C Trace Context: ``traceparent`` and ``tracestate``, read and written. Pure.

https://www.w3.org/TR/trace-context/ (level 1, with what level 2 says of flags). Who cannot read a
``traceparent`` begins a new trace, and then the ``tracestate`` beside it means nothing either.
``CURRENT`` is what the running task works for; log lines take their ids from there.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
VERSION = "00"
_SAMPLED = 0x01
# The fields of version 00; a later version may go on after another dash.
_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_NO_TRACE = "0" * 32
_NO_SPAN = "0" * 16
_STATE_MEMBERS = 32
# Propagated whole or not at all; the specification asks for at least 512.
_STATE_LIMIT = 2_048
_KEY = r"[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}|[a-z][a-z0-9_\-*/]{0,255}"
_VALUE = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_MEMBER = re.compile(rf"({_KEY})=({_VALUE})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceContext:
    """A span of somebody's trace. ``state`` is a valid ``tracestate``, empty for none."""

    trace_id: str
    span_id: str
    sampled: bool = False
    state: str = ""

    def parent_header(self) -> str:
        """As ``traceparent``."""
        return f"{VERSION}-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"

    def headers(self) -> dict[str, str]:
        """What a request in this trace carries."""
        found = {TRACEPARENT: self.parent_header()}
        return found | {TRACESTATE: self.state} if self.state else found


CURRENT: ContextVar[TraceContext | None] = ContextVar("trace", default=None)


def ids_now() -> tuple[str, str] | None:
    """Trace and span of what runs now; None where nothing is traced."""
    now = CURRENT.get()
    return None if now is None else (now.trace_id, now.span_id)


def read_trace(parent: str | None, state: str | None = None) -> TraceContext | None:
    """The caller's span; None where there is none or it is not valid: a new trace begins.

    ``state``: several headers are joined by commas first. A bad one is dropped alone.
    """
    found = _PARENT.fullmatch(parent.strip(" \t")) if parent else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == VERSION and more is not None):
        return None
    if trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    return TraceContext(
        trace_id=trace_id,
        span_id=span_id,
        sampled=bool(int(flags, 16) & _SAMPLED),
        state=read_state(state),
    )


def read_state(given: str | None) -> str:
    """A ``tracestate`` in its plain form; empty where there is none or it is not valid."""
    if not given or len(given) > _STATE_LIMIT:
        return ""
    members: dict[str, str] = {}
    for text in given.split(","):
        if not (member := text.strip(" \t")):
            continue
        found = _MEMBER.fullmatch(member)
        if found is None or found[1] in members:
            return ""
        members[found[1]] = found[2]
    if len(members) > _STATE_MEMBERS:
        return ""
    return ",".join(f"{key}={value}" for key, value in members.items())
