"""Log rows as PostgreSQL's binary COPY tuples: made once, when a row is appended, then only copied.

Encoding here instead of at shipping saves parsing JSON twice, in the gateway and in PostgreSQL
(docs/adr/0018). A tuple is a field count and, for each column of ``COLUMNS``, a length and bytes.
The texts come first, so that dropping them later needs no look at the rest. A value that PostgreSQL
would refuse is cleaned here, because a refused row would block its segment. Knows no connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from struct import Struct, error
from typing import Any, Final

from slipway_contracts.attempt import Attempt
from slipway_store.clean import clean

# The order of the fields of a tuple. Segments name it in their first frame.
COLUMNS: tuple[str, ...] = (
    *("input_text", "output_text"),
    *("timestamp", "started_at", "routes_revision", "attempt", "status", "stream", "shadow"),
    *("error", "refused", "overdue", "client_gone", "processing_time_ms"),
    *("empty", "truncated", "schema_invalid"),
    *("ttft_ms", "token_ms", "prompt_tokens", "completion_tokens"),
    *("gateway", "route", "model_name", "version", "tenant", "key_id"),
    *("request_id", "unit_hash", "finish_reason", "message"),
)
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
NULL: Final = b"\xff\xff\xff\xff"

_COUNT: Final = Struct("!h")
_LENGTH: Final = Struct("!i")
_FIXED: Final = Struct("!" + "iq" * 3 + "ii" * 2 + "30s" + "id")
_BIGINT, _INT, _FLOAT, _BOOL = Struct("!q"), Struct("!i"), Struct("!d"), Struct("!?")
_FLOAT_FIELD: Final = Struct("!id")
_PREFIX: Final = _COUNT.pack(len(COLUMNS))
_INT_SIZE: Final = _LENGTH.pack(4)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_BIGINT_MAX = 2**63 - 1
_FLAG: Final = {None: NULL, False: b"\0\0\0\1\0", True: b"\0\0\0\1\1"}
# All combinations of the flags that lie side by side: one look-up instead of six values to pack.
_SIX: Final = {
    six: b"".join(_FLAG[flag] for flag in six) for six in product((False, True), repeat=6)
}
_THREE: Final = {
    three: b"".join(_FLAG[flag] for flag in three) for three in product(_FLAG, repeat=3)
}
# Fields that many rows have in common, made once.
_SHARED: Final[dict[tuple[str, str, str, str, str, str], bytes]] = {}
_SHARED_LIMIT: Final = 4096


class Unreadable(ValueError):
    """Bytes that are no tuple, or none of ours."""


def encode(row: Attempt) -> bytes:
    """A row as one tuple of ``COLUMNS``; values that PostgreSQL cannot hold are cleaned."""
    try:
        return _encode(row)
    except (error, ValueError, OverflowError):
        return _encode(_cleaned(row))


def decode(columns: Sequence[str], data: bytes) -> Attempt:
    """A tuple back as a row; columns that this program does not know are left out.

    Raises Unreadable.
    """
    values = {
        name: _DECODERS[name](field)
        for name, field in zip(columns, _fields(data, len(columns)), strict=True)
        if field is not None and name in _DECODERS
    }
    for field in fields(Attempt):
        if field.name not in values:
            if field.default is MISSING:
                raise Unreadable(f"a tuple without {field.name}")
            # NULL is written for None only.
            values[field.name] = None if field.name in columns else field.default
    return Attempt(**values)


def without_texts(data: bytes) -> bytes:
    """The tuple with NULL in place of its first two fields, which are the texts."""
    position = _COUNT.size
    for _ in range(2):
        (length,) = _LENGTH.unpack_from(data, position)
        position += _LENGTH.size + max(0, length)
    return data[: _COUNT.size] + NULL + NULL + data[position:]


def _encode(row: Attempt) -> bytes:
    ttft, token, millis = row.ttft_ms, row.token_ms, row.processing_time_ms
    prompt, completion = row.prompt_tokens, row.completion_tokens
    times = millis + (ttft or 0.0) + (token or 0.0)
    if times - times != 0.0:
        raise ValueError("not a finite number")
    flags = _SIX[row.stream, row.shadow, row.error, row.refused, row.overdue, row.client_gone]
    ended, began = _micros(row.timestamp), _micros(row.started_at)
    # A star would put every argument into a list first.
    fixed = _FIXED.pack(
        8, ended, 8, began, 8, row.routes_revision, 4, row.attempt, 4, row.status, flags, 8, millis
    )
    names = (row.gateway, row.route, row.model_name, row.version, row.tenant, row.key_id)
    # Of bytes alone and written out here, a format is one copy, compiled.
    return b"%b%b%b%b%b%b%b%b%b%b%b%b%b%b" % (
        _PREFIX,
        _text(row.input_text),
        _text(row.output_text),
        fixed,
        _THREE[row.empty, row.truncated, row.schema_invalid],
        NULL if ttft is None else _FLOAT_FIELD.pack(8, ttft),
        NULL if token is None else _FLOAT_FIELD.pack(8, token),
        NULL if prompt is None else _INT_SIZE + prompt.to_bytes(4, "big", signed=True),
        NULL if completion is None else _INT_SIZE + completion.to_bytes(4, "big", signed=True),
        _SHARED.get(names) or _shared(names),
        _text(row.request_id),
        _text(row.unit_hash),
        _text(row.finish_reason),
        _text(row.message),
    )


def _text(value: str | None) -> bytes:
    """Length and bytes."""
    if value is None:
        return NULL
    data = value.encode()
    # Not b"\0": bytes are looked for as a number first, at ten times the price.
    if 0 in data:
        raise ValueError("a NUL character")
    return b"%b%b" % (len(data).to_bytes(4, "big"), data)


def _shared(names: tuple[str, str, str, str, str, str]) -> bytes:
    """The texts that many rows have in common."""
    if len(_SHARED) >= _SHARED_LIMIT:
        _SHARED.clear()
    joined = _SHARED[names] = b"".join([_text(name) for name in names])
    return joined


def _micros(time: datetime) -> int:
    since = time - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _cleaned(row: Attempt) -> Attempt:
    values = {field.name: clean(getattr(row, field.name)) for field in fields(row)}
    if values["processing_time_ms"] is None:
        values["processing_time_ms"] = 0.0
    values["routes_revision"] = max(-_BIGINT_MAX, min(_BIGINT_MAX, row.routes_revision))
    return replace(row, **values)


def _fields(data: bytes, count: int) -> list[bytes | None]:
    """The fields of a tuple, None for NULL."""
    if len(data) < _COUNT.size or _COUNT.unpack_from(data)[0] != count:
        raise Unreadable(f"not a tuple of {count} fields")
    found: list[bytes | None] = []
    position = _COUNT.size
    for _ in range(count):
        if position + _LENGTH.size > len(data):
            raise Unreadable("a tuple that is cut")
        (length,) = _LENGTH.unpack_from(data, position)
        position += _LENGTH.size
        found.append(None if length < 0 else data[position : position + length])
        position += max(0, length)
    if position != len(data):
        raise Unreadable("a tuple with more or less behind its last field")
    return found


def _decoder(kind: Struct) -> Callable[[bytes], Any]:
    return lambda data: kind.unpack(data)[0]


def _time(data: bytes) -> datetime:
    return _EPOCH + timedelta(microseconds=_BIGINT.unpack(data)[0])


_DECODERS: dict[str, Callable[[bytes], Any]] = {
    **dict.fromkeys(COLUMNS, bytes.decode),
    **dict.fromkeys(("timestamp", "started_at"), _time),
    "routes_revision": _decoder(_BIGINT),
    **dict.fromkeys(("attempt", "status", "prompt_tokens", "completion_tokens"), _decoder(_INT)),
    **dict.fromkeys(("processing_time_ms", "ttft_ms", "token_ms"), _decoder(_FLOAT)),
    **dict.fromkeys(
        (
            *("stream", "shadow", "error", "refused", "overdue", "client_gone"),
            *("empty", "truncated", "schema_invalid"),
        ),
        _decoder(_BOOL),
    ),
}
