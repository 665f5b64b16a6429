"""A chat's stream → the events of a streamed Response, one by one as they come.

::

    created, in_progress
      for every item (reasoning, message, function call), one at a time:
        output_item.added, [content_part.added], delta …,
        done, [content_part.done], output_item.done
    completed | incomplete | failed

An item ends when the chat goes on to another kind of thing, or at the end. Pure: whole server-sent
events in, whole server-sent events out; nothing is held back but what only the end tells.
"""

from __future__ import annotations

from typing import Any

import orjson

from slipway_gateway.dialects import responses_answer as answer
from slipway_gateway.dialects.responses_items import CallItem, Item, ReasoningItem, TextItem
from slipway_gateway.dialects.sse import payloads
from slipway_gateway.errors import BackendBroken, GatewayError
from slipway_gateway.render import message_of


class ResponseStream:
    """One answer. Call ``feed`` as events come, then ``end`` or ``failed`` once."""

    def __init__(self, echo: dict[str, Any], request_id: str) -> None:
        self._echo = echo
        self._request_id = request_id
        self._response: dict[str, Any] | None = None
        self._number = 0
        self._item: Item | None = None
        self._call = -1
        self._output: list[dict[str, Any]] = []
        self._reason: object = None
        self._usage: object = None
        self._over = False

    def feed(self, events: bytes) -> bytes:
        """Whole events of the chat → those of the Response; b"" once it has failed."""
        out: list[bytes] = []
        for payload in payloads(events):
            if self._over:
                break
            try:
                chunk = orjson.loads(payload)
            except orjson.JSONDecodeError:
                # The end marker, or what no client could read either.
                continue
            if isinstance(chunk, dict):
                self._chunk(chunk, out)
        return b"".join(out)

    def end(self) -> bytes:
        """The chat has ended as it should."""
        if self._over:
            return b""
        self._over = True
        out: list[bytes] = []
        response = self._begun({}, out)
        self._close_item(out)
        answer.finish(response, self._reason, self._output, self._usage)
        self._emit(out, f"response.{response['status']}", {"response": response})
        return b"".join(out)

    def failed(self, error: GatewayError) -> bytes:
        """It broke off; what was said so far stands."""
        if self._over:
            return b""
        self._over = True
        out: list[bytes] = []
        response = self._begun({}, out)
        answer.fail(response, error)
        response["output"] = self._output
        self._emit(out, "response.failed", {"response": response})
        return b"".join(out)

    def _begun(self, chunk: dict[str, Any], out: list[bytes]) -> dict[str, Any]:
        if self._response is None:
            self._response = answer.empty_response(
                self._echo, self._request_id, chunk.get("model"), chunk.get("created")
            )
            for kind in ("response.created", "response.in_progress"):
                self._emit(out, kind, {"response": self._response})
        return self._response

    def _chunk(self, chunk: dict[str, Any], out: list[bytes]) -> None:
        error = chunk.get("error")
        if error:
            out.append(self.failed(BackendBroken(f"the backend failed: {message_of(error)}")))
            return
        self._begun(chunk, out)
        self._usage = chunk.get("usage") or self._usage
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return
        self._reason = choice.get("finish_reason") or self._reason
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._delta(delta, out)

    def _delta(self, delta: dict[str, Any], out: list[bytes]) -> None:
        if text := answer.reasoning_of(delta):
            if not isinstance(self._item, ReasoningItem):
                self._close_item(out)
                self._open_item(ReasoningItem(self._request_id, len(self._output)), out)
            self._grow(text, out)
        for name, refusal in (("content", False), ("refusal", True)):
            said = delta.get(name)
            if said and isinstance(said, str):
                if not (isinstance(self._item, TextItem) and self._item.refusal is refusal):
                    self._close_item(out)
                    place = len(self._output)
                    self._open_item(TextItem(self._request_id, place, refusal=refusal), out)
                self._grow(said, out)
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict) and not self._over:
                self._called(call, out)

    def _called(self, call: dict[str, Any], out: list[bytes]) -> None:
        index, function = call.get("index", 0), call.get("function")
        function = function if isinstance(function, dict) else {}
        if index != self._call or not isinstance(self._item, CallItem):
            name = function.get("name")
            if not isinstance(index, int) or index <= self._call or not isinstance(name, str):
                out.append(self.failed(BackendBroken("the backend mixes its function calls up")))
                return
            self._close_item(out)
            self._call = index
            place = len(self._output)
            call_id = call.get("id")
            self._open_item(CallItem(self._request_id, place, call_id=call_id, name=name), out)
        arguments = function.get("arguments")
        if arguments and isinstance(arguments, str):
            self._grow(arguments, out)

    def _open_item(self, item: Item, out: list[bytes]) -> None:
        self._item = item
        for kind, fields in item.opened():
            self._emit(out, kind, fields)

    def _grow(self, text: str, out: list[bytes]) -> None:
        assert self._item is not None
        self._emit(out, *self._item.delta(text))

    def _close_item(self, out: list[bytes]) -> None:
        item, self._item = self._item, None
        if item is None:
            return
        status = "incomplete" if answer.cut_reason(self._reason) else "completed"
        for kind, fields in item.closed(status):
            self._emit(out, kind, fields)
        self._output.append(item.whole(status))

    def _emit(self, out: list[bytes], kind: str, fields: dict[str, Any]) -> None:
        body = orjson.dumps({"type": kind, "sequence_number": self._number, **fields})
        self._number += 1
        out.append(b"event: " + kind.encode() + b"\ndata: " + body + b"\n\n")
