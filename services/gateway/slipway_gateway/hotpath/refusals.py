"""Whole answers for what never became a request; they have no id of their own."""

from __future__ import annotations

from slipway_gateway.errors import BadRequest, GatewayError, TooLarge
from slipway_gateway.render import openai_error


def _answer(status: bytes, error: GatewayError) -> bytes:
    body = openai_error(error, "")
    return (
        b"HTTP/1.1 %b\r\ncontent-type: application/json\r\nconnection: close\r\n"
        b"content-length: %d\r\n\r\n%b" % (status, len(body), body)
    )


TOO_LARGE = _answer(
    b"431 Request Header Fields Too Large", TooLarge("the request head is too large")
)
NO_HTTP = _answer(b"400 Bad Request", BadRequest("the request is not valid HTTP/1.1"))
FAILED = _answer(b"500 Internal Server Error", GatewayError("the gateway failed on this request"))
