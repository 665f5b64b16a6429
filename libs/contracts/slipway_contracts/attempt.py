"""One attempt at answering a request: the row of ``request_logs``.

A request that is retried has several rows; each carries the version that was asked. ``timestamp``
is when the attempt ended: ticks, watermarks and partitions go by it. An answer from the gateway's
cache has one row, with attempt 0: no version was asked, so it is in the usage but no evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

# The number of the attempt that was not made: the answer came from the gateway's cache.
CACHED = 0


# Made for every request: not frozen, though nobody changes one, and with a constructor of its own,
# which takes 0.05 µs where it is compiled; a dataclass's takes 1 there and 2 elsewhere.
@dataclass(slots=True, kw_only=True, init=False)
class Attempt:
    """Times are aware UTC or milliseconds; None means "does not apply to this attempt".

    ``error``: 5xx, engine error or broken stream. ``refused``: a 4xx that depends on the version.
    ``empty``: success without text. ``truncated``: cut by a limit that the client did not set.
    ``overdue``: logged as slow already, by an ``overdue_events`` row. ``shadow``: a copy; never
    counted against the version in the split, never billed.
    """

    request_id: str
    attempt: int
    timestamp: datetime
    started_at: datetime
    gateway: str
    route: str
    model_name: str
    version: str
    routes_revision: int
    unit_hash: str
    tenant: str = ""
    key_id: str = ""
    status: int
    stream: bool = False
    shadow: bool = False
    error: bool = False
    refused: bool = False
    empty: bool | None = None
    truncated: bool | None = None
    schema_invalid: bool | None = None
    overdue: bool = False
    client_gone: bool = False
    input_text: str | None = None
    output_text: str | None = None
    processing_time_ms: float
    ttft_ms: float | None = None
    token_ms: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    finish_reason: str | None = None
    message: str | None = None

    def __init__(
        self,
        *,
        request_id: str,
        attempt: int,
        timestamp: datetime,
        started_at: datetime,
        gateway: str,
        route: str,
        model_name: str,
        version: str,
        routes_revision: int,
        unit_hash: str,
        tenant: str = "",
        key_id: str = "",
        status: int,
        stream: bool = False,
        shadow: bool = False,
        error: bool = False,
        refused: bool = False,
        empty: bool | None = None,
        truncated: bool | None = None,
        schema_invalid: bool | None = None,
        overdue: bool = False,
        client_gone: bool = False,
        input_text: str | None = None,
        output_text: str | None = None,
        processing_time_ms: float,
        ttft_ms: float | None = None,
        token_ms: float | None = None,
        prompt_tokens: int | None = None,
        completion_tokens: int | None = None,
        finish_reason: str | None = None,
        message: str | None = None,
    ) -> None:
        self.request_id = request_id
        self.attempt = attempt
        self.timestamp = timestamp
        self.started_at = started_at
        self.gateway = gateway
        self.route = route
        self.model_name = model_name
        self.version = version
        self.routes_revision = routes_revision
        self.unit_hash = unit_hash
        self.tenant = tenant
        self.key_id = key_id
        self.status = status
        self.stream = stream
        self.shadow = shadow
        self.error = error
        self.refused = refused
        self.empty = empty
        self.truncated = truncated
        self.schema_invalid = schema_invalid
        self.overdue = overdue
        self.client_gone = client_gone
        self.input_text = input_text
        self.output_text = output_text
        self.processing_time_ms = processing_time_ms
        self.ttft_ms = ttft_ms
        self.token_ms = token_ms
        self.prompt_tokens = prompt_tokens
        self.completion_tokens = completion_tokens
        self.finish_reason = finish_reason
        self.message = message


ATTEMPT_COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(Attempt))


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """A stream without its first byte after ``overdue_ms``: slow now, not at its end."""

    request_id: str
    attempt: int
    timestamp: datetime
    started_at: datetime
    model_name: str
    version: str
    unit_hash: str
