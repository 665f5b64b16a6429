"""Heads that were parsed before, known by their bytes: who keeps a connection repeats its head.

llhttp decides about a head once. One that comes again byte for byte, but for the digits of its
content-length, means what it meant, and a look-up says so for a fifth of the price. It is learnt
where all that the parser took for the body is what is behind the first empty line: there the head
ended. Knows no connection.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeVar

from slipway_gateway.dialects.base import Dialect
from slipway_gateway.hotpath.head import Head

Known = TypeVar("Known")

# A longer head is parsed each time.
SIZE: Final = 2048
# So many are known; with one more all are learnt anew.
LIMIT: Final = 1024
_END: Final = b"\r\n\r\n"
# Content-Length as most write it, in two spellings with one end to look for; else it is parsed.
_LENGTH: Final = b"ength: "
_TITLE: Final = b"\r\nContent-L"
_LOWER: Final = b"\r\ncontent-l"
_DIGITS: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRequest:
    """What the head of a hot route's request means. ``head`` is without its length."""

    dialect: Dialect
    head: Head
    keep_alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAnswer:
    """What the head of a backend's whole answer means: a 200 that leaves its connection usable."""

    content_type: bytes
    headers: bytes


def cut(data: bytes) -> tuple[bytes, int, bytes] | None:
    """A message → its head without its length, that length, and what is behind the head. None for
    what is to be parsed."""
    head, end, rest = data.partition(_END)
    if not end or len(head) > SIZE:
        return None
    before, name, after = head.partition(_LENGTH)
    digits, line, after = after.partition(b"\r")
    if not name or len(digits) > _DIGITS or not digits.isdigit():
        return None
    called = before[-len(_TITLE) :]
    if called != _TITLE and called != _LOWER:
        return None
    return before + line + after, int(digits), rest


def learn(known: dict[bytes, Known], key: bytes, value: Known) -> None:
    """From now on it needs no parser."""
    if len(known) >= LIMIT:
        known.clear()
    known[key] = value


def learn_request(
    known: dict[bytes, KnownRequest],
    key: bytes,
    length: int,
    dialect: Dialect,
    head: Head,
    keep_alive: bool,
) -> None:
    """The same of a request's, unless it hardly comes again."""
    if not head.is_unique() and head.content_length == str(length):
        head = replace(head, content_length=None)
        learn(known, key, KnownRequest(dialect=dialect, head=head, keep_alive=keep_alive))
