"""A batch's input file → its lines, or what is wrong with which of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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


def split_lines(chunks: list[bytes]) -> Iterator[bytes]:
    """The lines of a file in chunks, which are let go as they are read: files may be large."""
    chunks.reverse()
    rest = b""
    while chunks:
        *whole, rest = (rest + chunks.pop()).split(b"\n")
        yield from whole
    yield rest


def read_lines(
    content: Iterable[bytes], *, endpoint: str, models: Sequence[str]
) -> tuple[list[NewLine], list[LineError]]:
    """The requests and the first errors. ``models``: what may be asked, empty: all."""
    lines: list[NewLine] = []
    errors: list[LineError] = []
    seen: set[str] = set()
    numbered = enumerate(content, start=1)
    for number, text in ((number, text) for number, text in numbered if text.strip()):
        read = _read(text, number, endpoint=endpoint, models=models, seen=seen)
        if isinstance(read, NewLine):
            lines.append(read)
            seen.add(read.custom_id)
        else:
            errors.append(read)
        if len(errors) >= ERRORS_LIMIT:
            return [], errors
        if len(lines) > LINES_LIMIT:
            message = f"the file has more than {LINES_LIMIT} requests; split it"
            return [], [LineError(code="too_many_requests", message=message)]
    if not lines and not errors:
        errors.append(LineError(code="empty_file", message="the file has no requests"))
    return ([] if errors else lines), errors


def _read(
    text: bytes, number: int, *, endpoint: str, models: Sequence[str], seen: set[str]
) -> NewLine | LineError:
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
    if custom_id in seen:
        return wrong("duplicate_custom_id", f"custom_id {custom_id!r} is there twice", "custom_id")
    if fields.get("method") != "POST":
        return wrong("invalid_method", "method must be POST", "method")
    if fields.get("url") != endpoint:
        return wrong("invalid_url", f"url must be the batch's endpoint {endpoint}", "url")
    if not isinstance(body, dict):
        return wrong("missing_required_parameter", "body must be an object", "body")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        return wrong("missing_required_parameter", "body.model must name a Model", "body.model")
    if models and model not in models:
        return wrong("model_not_allowed", f"the key may not use the model {model}", "body.model")
    if body.get("stream"):
        return wrong("invalid_parameter", "a batch has no streams; leave stream out", "body.stream")
    return NewLine(line=number, custom_id=custom_id, request=orjson.dumps(body))
