"""What the demo's clients ask: prompts of three lengths, drawn from a seed. Pure.

The lengths matter to the story: with the demo's tokenizer (about three to four and a half
characters a token on such text) short and medium prompts and their answers stay below the context
limit of 128 that v3 is given, and every long prompt is above it and far below the other versions'
512.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

Kind = Literal["short", "medium", "long"]

LENGTHS: dict[Kind, tuple[int, int]] = {"short": (20, 60), "medium": (80, 140), "long": (750, 950)}

_TERMS = (
    *("hacker", "kludge", "foobar", "daemon", "bit bucket", "buffer", "cruft", "deadlock"),
    *("flame", "glitch", "handshake", "interrupt", "jiffy", "kernel", "lexer", "macro", "nybble"),
    *("overflow", "parity", "quantum", "regexp", "spool", "thunk", "virus", "wizard", "zombie"),
)
_CLAUSES = (
    "the program that was meant to be replaced is still running on the old machine",
    "nobody remembers who wrote this code or what it was meant to do",
    "a small change in one place broke something at the other end of the system",
    "the manual says one thing and the machine does another",
    "it worked yesterday and nothing has been changed since then",
    "the fix was worse than the problem that it was meant to solve",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One thing to ask."""

    kind: Kind
    text: str
    max_tokens: int


def draw(rng: random.Random, *, long_share: float) -> Ask:
    """Short twice as often as medium; long with probability ``long_share``."""
    kind: Kind = "long" if rng.random() < long_share else rng.choice(("short", "short", "medium"))
    low, high = LENGTHS[kind]
    target = rng.randint(low, high)
    text = f"What is a {rng.choice(_TERMS)}?" if kind == "short" else ""
    while len(text) < target:
        text += f" {rng.choice(_CLAUSES)}, said the {rng.choice(_TERMS)}."
    text = text.strip()[:high]
    return Ask(kind=kind, text=text, max_tokens=rng.randint(16, 32))


class Conversations:
    """Conversation ids: mostly fresh, some that came a moment ago, a few regulars.

    Regulars live through the whole run, so that one conversation is seen before, during and after
    a rollout; too many of them would be few units, and few units are little evidence.
    """

    def __init__(self, rng: random.Random, *, regulars: int = 24, recent: int = 64) -> None:
        self._rng = rng
        self._regulars = [self._fresh() for _ in range(regulars)]
        self._recent: list[str] = []
        self._keep = recent

    def next(self) -> str:
        """The id of the conversation that speaks now."""
        draw = self._rng.random()
        if draw < 0.12:
            return self._rng.choice(self._regulars)
        if draw < 0.32 and self._recent:
            return self._rng.choice(self._recent)
        fresh = self._fresh()
        self._recent = [*self._recent[-self._keep + 1 :], fresh]
        return fresh

    def _fresh(self) -> str:
        return f"c-{self._rng.getrandbits(64):016x}"
