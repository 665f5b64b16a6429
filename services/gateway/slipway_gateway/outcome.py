"""An answer → the events that the log row carries. Pure; the definitions of VERDICTS.md.

``Observed`` is what was read beside the relay, from a whole answer or a stream; ``judge`` turns it
into flags. ``None`` means that the metric does not apply to this attempt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import orjson

from slipway_contracts.model import Task
from slipway_gateway.ask import Ask

_TEXT_GENERATION: Final = Task.TEXT_GENERATION
# What the engine says when the version's own context is too small: vLLM's messages, OpenAI's code.
_CONTEXT: Final = re.compile(
    rb"context[ _]length|context_length_exceeded|maximum model length|max_model_len", re.IGNORECASE
)


@dataclass(slots=True, init=False)
class Observed:
    """What an answer showed. Times are monotonic seconds of its first and last content.

    ``pieces``: of content, as the engine cut it: a token each, as a rule.
    """

    text: list[str]
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    first_content: float | None
    last_content: float | None
    pieces: int
    tool_calls: bool
    error: str | None
    done: bool

    def __init__(
        self,
        *,
        text: list[str] | None = None,
        finish_reason: str | None = None,
        prompt_tokens: int | None = None,
        completion_tokens: int | None = None,
        first_content: float | None = None,
        last_content: float | None = None,
        pieces: int = 0,
        tool_calls: bool = False,
        error: str | None = None,
        done: bool = False,
    ) -> None:
        self.text = [] if text is None else text
        self.finish_reason = finish_reason
        self.prompt_tokens = prompt_tokens
        self.completion_tokens = completion_tokens
        self.first_content = first_content
        self.last_content = last_content
        self.pieces = pieces
        self.tool_calls = tool_calls
        self.error = error
        self.done = done

    @property
    def whole(self) -> bool:
        """The stream said how it ended: a finish reason, the end marker, or an error."""
        return self.done or self.finish_reason is not None or self.error is not None

    @property
    def completion_tokens_so_far(self) -> int | None:
        """As the engine counted them, else the pieces of a stream that broke off before it did."""
        return self.completion_tokens if self.completion_tokens is not None else self.pieces or None

    def token_seconds(self) -> float | None:
        """Mean seconds between two pieces of content; None with fewer than two."""
        if self.first_content is None or self.last_content is None or self.pieces < 2:
            return None
        return (self.last_content - self.first_content) / (self.pieces - 1)


@dataclass(slots=True, init=False)
class Events:
    """The bad events of one attempt."""

    error: bool
    refused: bool
    empty: bool | None
    truncated: bool | None
    schema_invalid: bool | None

    def __init__(
        self,
        *,
        error: bool = False,
        refused: bool = False,
        empty: bool | None = None,
        truncated: bool | None = None,
        schema_invalid: bool | None = None,
    ) -> None:
        self.error = error
        self.refused = refused
        self.empty = empty
        self.truncated = truncated
        self.schema_invalid = schema_invalid


def judge(ask: Ask, status: int, seen: Observed, *, broken: bool, body: bytes = b"") -> Events:
    """Events of an attempt that ended. ``broken``: it did not end as an answer ends."""
    if 400 <= status < 500:
        return Events(refused=is_refusal(status, body))
    if broken or status != 200 or seen.error is not None:
        return Events(error=True)
    text = "".join(seen.text)
    return Events(
        empty=_is_empty(text, seen) if ask.task is _TEXT_GENERATION else None,
        truncated=seen.finish_reason == "length" if ask.judge_truncation else None,
        schema_invalid=not _is_json(text) if ask.wants_json else None,
    )


def _is_empty(text: str, seen: Observed) -> bool:
    return not text.strip() and not seen.tool_calls


def is_refusal(status: int, body: bytes) -> bool:
    """A 4xx that depends on the version: another version might have answered.

    Its context limit; its name, key or load (401, 403, 404, 429: the gateway has checked the
    client's own). Any other 4xx is the client's mistake and says nothing about the version.
    """
    if status in (401, 403, 404, 408, 413, 429):
        return True
    return status in (400, 422) and _CONTEXT.search(body) is not None


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
