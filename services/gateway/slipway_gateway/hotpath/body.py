"""Reads a request body within its limits. The time limit is the exchange's deadline."""

from __future__ import annotations

from typing import Any

from slipway_gateway.errors import BadRequest, TooLarge, UnsupportedMedia
from slipway_gateway.hotpath.head import Head


async def read_body(head: Head, receive: Any, limit: int) -> bytes | None:
    """The whole body; None when the client left. Raises TooLarge, UnsupportedMedia, BadRequest."""
    if head.content_encoding not in (None, "", "identity"):
        raise UnsupportedMedia("send the body uncompressed (no Content-Encoding)")
    length = head.content_length
    if length is not None:
        if not length.isdecimal():
            raise BadRequest("Content-Length is not a number")
        if int(length) > limit:
            raise TooLarge(f"the body is over {limit} bytes")
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message["body"]
        size += len(part)
        if size > limit:
            raise TooLarge(f"the body is over {limit} bytes")
        parts.append(part)
        if not message["more_body"]:
            return parts[0] if len(parts) == 1 else b"".join(parts)
