"""Answers that were given before: the same question at temperature 0, of the same version.

Off unless it is given room. An answer is found only by the whole of its question: tenant, version,
route and the body as it goes upstream, byte for byte, which has the Model's name and system prompt
in it. Kept in memory, within its bytes and for its time; what was used longest ago goes first.
Per process: another one learns for itself. Knows no HTTP; monotonic seconds come from the caller.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from slipway_gateway.ask import Ask

# What an entry costs beside its answer: its key, its place and the objects around it.
ENTRY_BYTES = 400
# An answer that would drive out much of the rest is not worth it.
LARGEST_SHARE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What makes two calls the same. ``tenant``: the caller's own, so that none sees another's."""

    tenant: str
    version: str
    path: str
    body: bytes

    def key(self) -> bytes:
        """Every part with its length, so that no two questions run together."""
        digest = hashlib.blake2b(digest_size=32)
        for part in (self.tenant, self.version, self.path):
            data = part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "big"))
            digest.update(data)
        digest.update(self.body)
        return digest.digest()


class AnswerCache:
    """``limit``: bytes; 0 keeps nothing. ``ttl``: seconds."""

    def __init__(self, limit: int, ttl: float) -> None:
        self._limit = limit
        self._ttl = ttl
        self._size = 0
        # The one that was used longest ago is the first.
        self._answers: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self.hits = 0
        self.misses = 0
        # By version: [hits, misses] since they were last drained.
        self._tally: dict[str, list[int]] = {}

    @property
    def size(self) -> int:
        """Bytes held now."""
        return self._size

    def takes(self, ask: Ask) -> bool:
        """Whether a call's answer may be kept and given again."""
        return self._limit > 0 and ask.greedy and not ask.stream

    def lookup(self, question: Question, now: float) -> bytes | None:
        """The backend's body, as it came; None when there is none that is young enough."""
        key = question.key()
        found = self._answers.get(key)
        tally = self._tally.setdefault(question.version, [0, 0])
        if found is not None and now < found[0]:
            self._answers.move_to_end(key)
            self.hits += 1
            tally[0] += 1
            return found[1]
        if found is not None:
            self._drop(key)
        self.misses += 1
        tally[1] += 1
        return None

    def drain(self) -> dict[str, list[int]]:
        """Hits and misses of each version since the last call."""
        tally, self._tally = self._tally, {}
        return tally

    def store(self, question: Question, body: bytes, now: float) -> None:
        """Keep a good whole answer (200 and not broken: the caller has looked)."""
        key = question.key()
        if key in self._answers:
            self._drop(key)
        cost = len(body) + ENTRY_BYTES
        if cost * LARGEST_SHARE > self._limit:
            return
        self._answers[key] = (now + self._ttl, body)
        self._size += cost
        while self._size > self._limit:
            self._drop(next(iter(self._answers)))

    def _drop(self, key: bytes) -> None:
        _, body = self._answers.pop(key)
        self._size -= len(body) + ENTRY_BYTES
