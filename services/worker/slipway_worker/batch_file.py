"""A batch's input file → its lines, or what is wrong with which of them. Pure.

The file is fed a piece at a time and its lines are given out as they are read, so that no more than
a piece and a line are in memory, however large the file is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from slipway_store.batches import NewLine

LINES_LIMIT = 50_000
ERRORS_LIMIT = 50
CUSTOM_ID_LIMIT = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class LineError:
    """OpenAI's error of a batch; ``line`` counts from 1."""

    code: str
    message: str
    param: str | None = None
    line: int | None = None

    def shown(self) -> dict[str, Any]:
        """As in the batch's ``errors``."""
        return {
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "line": self.line,
        }


class BatchReader:
    """``feed`` every piece, then ``finish``; both give the good lines that came whole.

    ``models``: what may be asked, empty: all. ``line_limit``: bytes of one line. Once there are
    ``errors`` no more lines are given: the batch will be refused. ``is_done``: the rest of the file
    changes nothing any more.
    """

    def __init__(self, *, endpoint: str, models: Sequence[str], line_limit: int) -> None:
        self.errors: list[LineError] = []
        self.is_done = False
        self._endpoint = endpoint
        self._models = models
        self._line_limit = line_limit
        self._seen: set[str] = set()
        self._number = 0
        self._rest = bytearray()
        # The line that is being read is too long already: its bytes are let go.
        self._skips = False

    def feed(self, piece: bytes) -> list[NewLine]:
        """The lines that end in this piece."""
        *ended, rest = piece.split(b"\n")
        lines = []
        for text in ended:
            self._extend(text)
            lines += self._take()
            if self.is_done:
                return []
        self._extend(rest)
        return [] if self.errors else lines

    def finish(self) -> list[NewLine]:
        """The last line, which needs no end of its own."""
        if self.is_done:
            return []
        lines = self._take()
        if not self._seen and not self.errors:
            self.errors.append(LineError(code="empty_file", message="the file has no requests"))
        return [] if self.errors else lines

    def _extend(self, text: bytes) -> None:
        if self._skips:
            return
        self._rest += text
        if len(self._rest) > self._line_limit:
            self._skips = True
            self._rest.clear()

    def _take(self) -> list[NewLine]:
        """The line that has ended, if it is a good one."""
        self._number += 1
        text, self._rest = self._rest, bytearray()
        if self._skips:
            self._skips = False
            message = f"the line is over {self._line_limit} bytes (the worker's line_limit)"
            self._wrong(LineError(code="line_too_large", message=message, line=self._number))
            return []
        if not text.strip():
            return []
        read = self._read(text)
        if isinstance(read, LineError):
            self._wrong(read)
            return []
        self._seen.add(read.custom_id)
        if len(self._seen) > LINES_LIMIT:
            message = f"the file has more than {LINES_LIMIT} requests; split it"
            self.errors = [LineError(code="too_many_requests", message=message)]
            self.is_done = True
        return [read]

    def _wrong(self, error: LineError) -> None:
        self.errors.append(error)
        self.is_done = len(self.errors) >= ERRORS_LIMIT

    def _read(self, text: bytearray) -> NewLine | LineError:
        number = self._number

        def wrong(code: str, message: str, param: str | None = None) -> LineError:
            return LineError(code=code, message=message, param=param, line=number)

        try:
            fields = orjson.loads(text)
        except orjson.JSONDecodeError:
            return wrong("invalid_json_line", "the line is not JSON")
        if not isinstance(fields, dict):
            return wrong("invalid_json_line", "the line is not a JSON object")
        custom_id, body = fields.get("custom_id"), fields.get("body")
        if not isinstance(custom_id, str) or not 0 < len(custom_id) <= CUSTOM_ID_LIMIT:
            limit = f"custom_id must be text of 1 to {CUSTOM_ID_LIMIT} characters"
            return wrong("missing_required_parameter", limit, "custom_id")
        if custom_id in self._seen:
            said = f"custom_id {custom_id!r} is there twice"
            return wrong("duplicate_custom_id", said, "custom_id")
        if fields.get("method") != "POST":
            return wrong("invalid_method", "method must be POST", "method")
        if fields.get("url") != self._endpoint:
            return wrong("invalid_url", f"url must be the batch's endpoint {self._endpoint}", "url")
        if not isinstance(body, dict):
            return wrong("missing_required_parameter", "body must be an object", "body")
        model = body.get("model")
        if not isinstance(model, str) or not model:
            return wrong("missing_required_parameter", "body.model must name a Model", "body.model")
        if self._models and model not in self._models:
            said = f"the key may not use the model {model}"
            return wrong("model_not_allowed", said, "body.model")
        if body.get("stream"):
            said = "a batch has no streams; leave stream out"
            return wrong("invalid_parameter", said, "body.stream")
        try:
            return NewLine(line=number, custom_id=custom_id, request=orjson.dumps(body))
        except orjson.JSONEncodeError:
            # What can be read is not always shallow enough to write.
            return wrong("invalid_parameter", "body is nested too deeply", "body")
