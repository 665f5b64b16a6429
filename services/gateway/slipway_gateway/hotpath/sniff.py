"""Reads answers beside the relay: usage, finish reason, text and times, without re-serialising.

Bytes are looked at, never changed, and may be split anywhere. A stream is cut into events only to
know where it may end: ``feed`` returns what may be passed on, whole events, so that a stream which
breaks inside one can still end with a clean error event. Never raises on what an engine sends.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from slipway_gateway.outcome import Observed
from slipway_gateway.render import message_of

# An event longer than this is passed on unread.
EVENT_LIMIT: Final = 1024 * 1024
_CONTENT: Final = frozenset({"content", "reasoning_content", "reasoning", "refusal", "tool_calls"})


class StreamSniffer:
    """One server-sent event stream."""

    def __init__(self) -> None:
        self.seen = Observed()
        self._held = b""
        self.blind = False

    def feed(self, chunk: bytes, now: float) -> bytes:
        """Bytes that came at ``now`` (monotonic seconds) → the bytes to pass on."""
        if self.blind:
            return chunk
        data = self._held + chunk if self._held else chunk
        end = _last_boundary(data)
        if end < 0:
            if len(data) <= EVENT_LIMIT:
                self._held = data
                return b""
            self.blind = True
            end = len(data)
        whole = data if end == len(data) else data[:end]
        self._held = b"" if whole is data else data[end:]
        self._read(whole, now)
        return whole

    def rest(self, now: float) -> bytes:
        """At a proper end: what is left, which an engine may have sent without its blank line."""
        held, self._held = self._held, b""
        if held:
            self._read(held, now)
        return held

    def _read(self, events: bytes, now: float) -> None:
        payload = b""
        for line in events.splitlines():
            if line.startswith(b"data:"):
                payload = payload + b"\n" + line[5:] if payload else line[5:]
            elif not line and payload:
                self._event(payload, now)
                payload = b""
        if payload:
            self._event(payload, now)

    def _event(self, payload: bytes, now: float) -> None:
        seen = self.seen
        event = _parse(payload)
        if isinstance(event, dict):
            before = seen.pieces
            read_answer(seen, event, part="delta")
            if seen.pieces > before:
                seen.last_content = now
                if seen.first_content is None:
                    seen.first_content = now
        elif payload.strip() == b"[DONE]":
            seen.done = True


def _parse(data: bytes) -> Any:
    """As JSON; None for what is none."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _last_boundary(data: bytes) -> int:
    """The index after the last blank line, -1 without one."""
    if data.endswith(b"\n\n"):
        return len(data)
    lf, crlf = data.rfind(b"\n\n"), data.rfind(b"\r\n\r\n")
    return max(lf + 2 if lf >= 0 else -1, crlf + 4 if crlf >= 0 else -1)


def read_whole(body: bytes) -> Observed | None:
    """A whole answer; None when it is no JSON object."""
    answer = _parse(body)
    if not isinstance(answer, dict):
        return None
    seen = Observed()
    read_answer(seen, answer, part="message")
    return seen


def read_answer(seen: Observed, answer: dict[str, Any], *, part: str) -> None:
    """Add one OpenAI object (answer or chunk) to ``seen``."""
    if answer.get("error"):
        seen.error = message_of(answer["error"])
    usage = answer.get("usage")
    if isinstance(usage, dict):
        seen.prompt_tokens = _count(usage.get("prompt_tokens"), seen.prompt_tokens)
        seen.completion_tokens = _count(usage.get("completion_tokens"), seen.completion_tokens)
    choices = answer.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict):
            _read_choice(seen, choice, part)


def _read_choice(seen: Observed, choice: dict[str, Any], part: str) -> None:
    reason = choice.get("finish_reason")
    # One cut choice makes the whole answer cut.
    if isinstance(reason, str) and seen.finish_reason != "length":
        seen.finish_reason = reason
    message = choice.get(part)
    if isinstance(message, dict):
        for name, value in message.items():
            if value and name in _CONTENT:
                seen.pieces += 1
                if isinstance(value, str):
                    seen.text.append(value)
                else:
                    seen.tool_calls = seen.tool_calls or name == "tool_calls"
    text = choice.get("text")
    if text and isinstance(text, str):
        seen.pieces += 1
        seen.text.append(text)


def _count(value: object, before: int | None) -> int | None:
    """A token count, unless the engine lies: negative, fractional or beyond any context."""
    fits = type(value) is int and 0 <= value < 2**31
    return value if fits else before  # type: ignore[return-value]
