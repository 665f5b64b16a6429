"""The client's own book of what it sent and got, and its comparison with the gateway's log.

The ledger is written by the traffic process alone, one JSON line a request, and never looks at the
database. The functions here are pure: entries and rows in, findings out.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from slipway_cli.demo.timeline import RisingWindow


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request as the client saw it. Times are unix seconds.

    ``request_id`` is what the response header said (the client's own id where there was no
    response). ``status`` None: no response. ``why`` is empty when ``ok``.
    """

    request_id: str
    conversation: str
    kind: str
    stream: bool
    sent: float
    first_byte: float | None
    ended: float
    status: int | None
    version: str | None
    ok: bool
    why: str = ""

    def line(self) -> str:
        """The entry's JSON line."""
        return json.dumps(asdict(self), separators=(",", ":")) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedAttempt:
    """The columns of one ``request_logs`` row that the join needs. Times are unix seconds."""

    request_id: str
    attempt: int
    version: str
    shadow: bool
    started_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """What the comparison found: request ids, each once."""

    missing: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    version_mismatches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StickyViolation:
    """A conversation that saw ``window.version`` and then, later in the window, ``back_to``."""

    conversation: str
    window: RisingWindow
    back_to: str
    request_id: str


def parse_entries(lines: Iterable[str]) -> list[Entry]:
    """Lines → entries. A last line without its newline is still being written: left out."""
    names = [field.name for field in fields(Entry)]
    entries = []
    for line in lines:
        if line.endswith("\n"):
            body = json.loads(line)
            entries.append(Entry(**{name: body[name] for name in names}))
    return entries


def read_ledger(path: Path) -> list[Entry]:
    """The whole ledger; empty when traffic never started."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return parse_entries(file)


def join_log(entries: Sequence[Entry], rows: Iterable[LoggedAttempt]) -> Join:
    """Ledger × log by request id, shadow copies aside.

    Missing: a request that was answered has no row. Duplicate: an attempt has two rows. Version
    mismatch: the answer's header is not the version of the final attempt.
    """
    attempts: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if not row.shadow:
            attempts[row.request_id][row.attempt].append(row.version)
    answered = {entry.request_id: entry for entry in entries if entry.status is not None}
    missing = [request for request in answered if request not in attempts]
    duplicates = [
        request
        for request in answered
        if any(len(versions) > 1 for versions in attempts.get(request, {}).values())
    ]
    mismatches = [
        request
        for request, entry in answered.items()
        if request in attempts and entry.version not in _final(attempts[request])
    ]
    return Join(
        missing=tuple(missing), duplicates=tuple(duplicates), version_mismatches=tuple(mismatches)
    )


def repeated_ids(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Request ids that stand in the ledger twice: then a join by id would prove nothing."""
    seen: set[str] = set()
    repeated = []
    for entry in entries:
        if entry.request_id in seen:
            repeated.append(entry.request_id)
        seen.add(entry.request_id)
    return tuple(repeated)


def sticky_violations(
    entries: Sequence[Entry], windows: Sequence[RisingWindow]
) -> tuple[StickyViolation, ...]:
    """Conversations that left a version while its weight only rose.

    Judged as the client could know it: it had the first byte of an answer by the version before it
    sent the request that another one answered, and had that answer before the window closed.
    """
    conversations: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.version is not None:
            conversations[entry.conversation].append(entry)
    found = []
    for window in windows:
        for conversation, theirs in conversations.items():
            found += _left(conversation, theirs, window)
    return tuple(found)


def _left(conversation: str, theirs: list[Entry], window: RisingWindow) -> list[StickyViolation]:
    inside = [e for e in theirs if e.sent >= window.begin and e.ended <= window.end]
    seen = min(
        (_known_at(e) for e in inside if e.version == window.version),
        default=None,
    )
    if seen is None:
        return []
    return [
        StickyViolation(
            conversation=conversation,
            window=window,
            back_to=str(entry.version),
            request_id=entry.request_id,
        )
        for entry in inside
        if entry.version != window.version and entry.sent > seen
    ]


def _known_at(entry: Entry) -> float:
    return entry.first_byte if entry.first_byte is not None else entry.ended


def _final(attempts: dict[int, list[str]]) -> list[str]:
    return attempts[max(attempts)]
