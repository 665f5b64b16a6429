"""An attempt that has not ended: what the log row will say, gathered while the answer flows.

``close`` makes the row, exactly once, and puts it into the log. It is called before the answer's
last byte goes out. Knows no socket.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from slipway_contracts.attempt import Attempt, Overdue
from slipway_gateway.ask import Ask
from slipway_gateway.attempts.log import AttemptLog
from slipway_gateway.attempts.texts import Texts
from slipway_gateway.control.route import Route
from slipway_gateway.metrics import InFlight
from slipway_gateway.outcome import Events, Observed
from slipway_gateway.tenants.keys import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """Where attempts are written, and what every row of this process shares."""

    gateway: str
    log: AttemptLog
    in_flight: InFlight
    texts: Texts


_REPORTED: Final = "the backend reported an error in its answer"


@dataclass(slots=True, init=False)
class Subject:
    """What all attempts at one request share. ``path`` is the dispatched route."""

    request_id: str
    path: str
    ask: Ask
    route: Route
    unit_hash: str
    caller: Caller

    def __init__(
        self,
        request_id: str,
        path: str,
        ask: Ask,
        route: Route,
        unit_hash: str,
        caller: Caller,
    ) -> None:
        self.request_id = request_id
        self.path = path
        self.ask = ask
        self.route = route
        self.unit_hash = unit_hash
        self.caller = caller


class Record:
    """One attempt at one version, which began at ``now``, monotonic seconds."""

    def __init__(
        self,
        journal: Journal,
        subject: Subject,
        version: str,
        number: int,
        now: float,
        *,
        shadow: bool = False,
    ) -> None:
        self._journal = journal
        self._subject = subject
        self.version = version
        self.number = number
        self.shadow = shadow
        self.overdue = False
        self.closed = False
        self.began = now
        self.started_at = journal.log.clock.now()
        journal.in_flight.enter(subject.route.model, version)

    def millis(self, now: float) -> float:
        """Since the attempt began."""
        return (now - self.began) * 1000

    def mark_overdue(self) -> None:
        """No first byte in time: slow already now, not when it ends."""
        self.overdue = True
        subject = self._subject
        self._journal.log.append(
            Overdue(
                request_id=subject.request_id,
                attempt=self.number,
                timestamp=self._journal.log.clock.now(),
                started_at=self.started_at,
                model_name=subject.route.model,
                version=self.version,
                unit_hash=subject.unit_hash,
            )
        )

    def close(
        self,
        status: int,
        events: Events,
        seen: Observed,
        now: float,
        *,
        client_gone: bool = False,
        message: str | None = None,
        said: str | None = None,
    ) -> None:
        """The attempt ended at ``now`` (monotonic seconds): one row. A second call does nothing.

        ``message`` is the gateway's own. ``said``: the backend's words of an error; they may quote
        the prompt, so they are a text like any answer.
        """
        if self.closed:
            return
        self.closed = True
        subject, journal, ask = self._subject, self._journal, self._subject.ask
        journal.in_flight.leave(subject.route.model, self.version)
        ttft = None if seen.first_content is None else (seen.first_content - self.began) * 1000
        token = seen.token_seconds()
        policy = subject.caller.text_policy
        row = Attempt(
            request_id=subject.request_id,
            attempt=self.number,
            timestamp=journal.log.clock.now(),
            started_at=self.started_at,
            gateway=journal.gateway,
            route=subject.path,
            model_name=subject.route.model,
            version=self.version,
            routes_revision=subject.route.revision,
            unit_hash=subject.unit_hash,
            tenant=subject.caller.tenant,
            key_id=subject.caller.key_id,
            status=status,
            stream=ask.stream,
            shadow=self.shadow,
            error=events.error,
            refused=events.refused,
            empty=events.empty,
            truncated=events.truncated,
            schema_invalid=events.schema_invalid,
            overdue=self.overdue,
            client_gone=client_gone,
            input_text=journal.texts.keep(policy, ask.text),
            output_text=journal.texts.keep(policy, _words(seen, said)),
            processing_time_ms=self.millis(now),
            ttft_ms=ttft,
            token_ms=None if token is None else token * 1000,
            prompt_tokens=seen.prompt_tokens,
            completion_tokens=seen.completion_tokens,
            finish_reason=seen.finish_reason,
            message=message or (_REPORTED if seen.error else None),
        )
        journal.log.append(row)


def _words(seen: Observed, said: str | None) -> str:
    words = said or seen.error
    return "".join(seen.text if words is None else (*seen.text, words))
