"""The items of a streamed Response: what each says when it opens, grows and closes.

Every method gives events as (type, fields); numbering and framing are the stream's. Knows no chat.
"""

from __future__ import annotations

from typing import Any, Protocol

from slipway_gateway.dialects import responses_answer as answer

Event = tuple[str, dict[str, Any]]


class Item(Protocol):
    """One item of the output, at its place."""

    def opened(self) -> tuple[Event, ...]: ...
    def delta(self, text: str) -> Event: ...
    def closed(self, status: str) -> tuple[Event, ...]: ...
    def whole(self, status: str) -> dict[str, Any]: ...


class TextItem:
    """A message with one part: text, or a refusal."""

    def __init__(self, request_id: str, place: int, *, refusal: bool) -> None:
        self.refusal = refusal
        self._id = answer.item_id("msg", request_id, place)
        self._place = place
        self._said: list[str] = []
        self._kind = "response.refusal" if refusal else "response.output_text"

    def opened(self) -> tuple[Event, ...]:
        item = answer.message_item(self._id, [], "in_progress")
        return (
            ("response.output_item.added", {"output_index": self._place, "item": item}),
            ("response.content_part.added", self._at() | {"part": self._part("")}),
        )

    def delta(self, text: str) -> Event:
        self._said.append(text)
        return f"{self._kind}.delta", self._at() | {"delta": text} | self._extra()

    def closed(self, status: str) -> tuple[Event, ...]:
        text = "".join(self._said)
        name = "refusal" if self.refusal else "text"
        return (
            (f"{self._kind}.done", self._at() | {name: text} | self._extra()),
            ("response.content_part.done", self._at() | {"part": self._part(text)}),
            (
                "response.output_item.done",
                {"output_index": self._place, "item": self.whole(status)},
            ),
        )

    def whole(self, status: str) -> dict[str, Any]:
        return answer.message_item(self._id, [self._part("".join(self._said))], status)

    def _at(self) -> dict[str, Any]:
        return {"item_id": self._id, "output_index": self._place, "content_index": 0}

    def _part(self, text: str) -> dict[str, Any]:
        return answer.refusal_part(text) if self.refusal else answer.text_part(text)

    def _extra(self) -> dict[str, Any]:
        return {} if self.refusal else {"logprobs": []}


class ReasoningItem:
    """What a reasoning model thinks aloud."""

    def __init__(self, request_id: str, place: int) -> None:
        self._id = answer.item_id("rs", request_id, place)
        self._place = place
        self._said: list[str] = []

    def opened(self) -> tuple[Event, ...]:
        item = answer.reasoning_item(self._id, "", "in_progress")
        return (
            ("response.output_item.added", {"output_index": self._place, "item": item}),
            ("response.content_part.added", self._at() | {"part": _thought("")}),
        )

    def delta(self, text: str) -> Event:
        self._said.append(text)
        return "response.reasoning_text.delta", self._at() | {"delta": text}

    def closed(self, status: str) -> tuple[Event, ...]:
        text = "".join(self._said)
        return (
            ("response.reasoning_text.done", self._at() | {"text": text}),
            ("response.content_part.done", self._at() | {"part": _thought(text)}),
            (
                "response.output_item.done",
                {"output_index": self._place, "item": self.whole(status)},
            ),
        )

    def whole(self, status: str) -> dict[str, Any]:
        return answer.reasoning_item(self._id, "".join(self._said), status)

    def _at(self) -> dict[str, Any]:
        return {"item_id": self._id, "output_index": self._place, "content_index": 0}


class CallItem:
    """A call of one of the client's functions."""

    def __init__(self, request_id: str, place: int, *, call_id: object, name: str) -> None:
        self._id = answer.item_id("fc", request_id, place)
        self._place = place
        fallback = answer.item_id("call", request_id, place)
        self._call_id = call_id if isinstance(call_id, str) and call_id else fallback
        self._name = name
        self._said: list[str] = []

    def opened(self) -> tuple[Event, ...]:
        item = self._item("", "in_progress")
        return (("response.output_item.added", {"output_index": self._place, "item": item}),)

    def delta(self, text: str) -> Event:
        self._said.append(text)
        return "response.function_call_arguments.delta", self._at() | {"delta": text}

    def closed(self, status: str) -> tuple[Event, ...]:
        arguments = "".join(self._said)
        done = self._at() | {"name": self._name, "arguments": arguments}
        return (
            ("response.function_call_arguments.done", done),
            (
                "response.output_item.done",
                {"output_index": self._place, "item": self.whole(status)},
            ),
        )

    def whole(self, status: str) -> dict[str, Any]:
        return self._item("".join(self._said), status)

    def _item(self, arguments: str, status: str) -> dict[str, Any]:
        return answer.call_item(
            self._id, call_id=self._call_id, name=self._name, arguments=arguments, status=status
        )

    def _at(self) -> dict[str, Any]:
        return {"item_id": self._id, "output_index": self._place}


def _thought(text: str) -> dict[str, Any]:
    return {"type": "reasoning_text", "text": text}
