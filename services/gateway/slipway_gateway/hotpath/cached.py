"""The row of an answer that came from the cache: attempt 0, because no version was asked.

Whoever used the answer sees it in the usage, may judge it and finds it in the log. It took no
tokens, and it is no evidence: counts, metrics of versions and the guard pass over it. Knows no
socket.
"""

from __future__ import annotations

import time

from slipway_contracts.attempt import CACHED, Attempt
from slipway_gateway.hotpath.record import Journal, Subject
from slipway_gateway.hotpath.sniff import read_whole
from slipway_gateway.outcome import Observed


def log_cached(journal: Journal, subject: Subject, version: str, body: bytes, now: float) -> None:
    """``body``: the backend's, as it came once. ``now``: when the request was taken, monotonic."""
    seen = read_whole(body) or Observed()
    caller, ended = subject.caller, journal.log.clock.now()
    journal.log.append(
        Attempt(
            request_id=subject.request_id,
            attempt=CACHED,
            timestamp=ended,
            started_at=ended,
            gateway=journal.gateway,
            route=subject.path,
            model_name=subject.route.model,
            version=version,
            routes_revision=subject.route.revision,
            unit_hash=subject.unit_hash,
            tenant=caller.tenant,
            key_id=caller.key_id,
            status=200,
            input_text=journal.texts.keep(caller.text_policy, subject.ask.text),
            output_text=journal.texts.keep(caller.text_policy, "".join(seen.text)),
            processing_time_ms=(time.monotonic() - now) * 1000,
            finish_reason=seen.finish_reason,
        )
    )
