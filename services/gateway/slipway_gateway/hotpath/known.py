"""Heads that were parsed before, known by their bytes: who keeps a connection repeats its head.

llhttp decides about a head once. One that comes again byte for byte, but for the digits of its
content-length, means what it meant, and a look-up says so for a fifth of the price. It is learnt
where all that the parser took for the body is what is behind the first empty line: there the head
ended. Knows no connection.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from slipway_gateway.dialects.base import Dialect
from slipway_gateway.hotpath.head import Head

Meaning = TypeVar("Meaning")

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


class Shape:
    """A head but for the digits of its length: what is before them, and what is behind."""

    __slots__ = ("_after", "_before")

    def __init__(self, data: bytes, start: int) -> None:
        """Of a message that ``cut`` took, with its body from ``start`` on."""
        before, name, after = data[:start].partition(_LENGTH)
        self._before = before + name
        self._after = after.lstrip(b"0123456789")

    def match(self, data: bytes) -> tuple[int, int]:
        """The length that a message with this head says and where its body begins; -1 and 0 for
        another head."""
        if not data.startswith(self._before):
            return -1, 0
        at = start = len(self._before)
        last, length = min(len(data), start + _DIGITS), 0
        while at < last and 48 <= (digit := data[at]) <= 57:
            length = length * 10 + digit - 48
            at += 1
        end = at + len(self._after)
        # Behind the last of too many digits comes one more, and no end of the line.
        return (length, end) if at > start and data[at:end] == self._after else (-1, 0)


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


class Reader(Generic[Meaning]):
    """Looks at what begins on one connection. ``known``: the heads that all of them have learnt.

    ``length`` and ``start``, after ``read``: what the head says, and where its body begins.
    """

    __slots__ = ("_key", "_known", "_last", "_shape", "length", "start")

    def __init__(self, known: dict[bytes, tuple[Shape, Meaning]]) -> None:
        self._known = known
        self._shape: Shape | None = None
        self._last: Meaning | None = None
        self._key = b""
        self.length = self.start = 0

    def read(self, data: bytes) -> Meaning | None:
        """What a head means that was parsed before; None: this one is to be parsed."""
        shape = self._shape
        if shape is not None:
            self.length, self.start = shape.match(data)
            if self.length >= 0:
                return self._last
        found = cut(data)
        if found is None:
            self._key = b""
            return None
        self._key, self.length, self.start = found
        entry = self._known.get(self._key)
        if entry is None:
            return None
        self._shape, self._last = entry
        return self._last

    @property
    def may_learn(self) -> bool:
        """Whether a head that ``read`` did not know is of those that may be learnt."""
        return bool(self._key)

    def learn(self, data: bytes, meaning: Meaning) -> None:
        """``data``, which was read last, has been parsed: from now on its head needs no parser."""
        if len(self._known) >= LIMIT:
            self._known.clear()
        self._known[self._key] = Shape(data, self.start), meaning


def cut(data: bytes) -> tuple[bytes, int, int] | None:
    """A message → its head without its length, that length, and where its body begins. None for
    what is to be parsed."""
    head, end, _ = data.partition(_END)
    if not end or len(head) > SIZE:
        return None
    before, name, after = head.partition(_LENGTH)
    digits, line, after = after.partition(b"\r")
    if not name or len(digits) > _DIGITS or not digits.isdigit():
        return None
    called = before[-len(_TITLE) :]
    if called != _TITLE and called != _LOWER:
        return None
    return before + line + after, int(digits), len(head) + len(_END)


def lasting(dialect: Dialect, head: Head, length: int, keep_alive: bool) -> KnownRequest | None:
    """What a request's head means whenever it comes; None: it hardly comes again."""
    if head.is_unique() or head.content_length != str(length):
        return None
    head = replace(head, content_length=None)
    return KnownRequest(dialect=dialect, head=head, keep_alive=keep_alive)
