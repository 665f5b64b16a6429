"""What a dialect is: bytes → ``Ask`` on the way in, answers and errors in its own shape on the way
out. Dialects never route, never touch the network and know no web framework.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from slipway_contracts.model import GenerationDefaults
from slipway_contracts.route import ModelRoute
from slipway_gateway.ask import Ask
from slipway_gateway.errors import BadRequest, GatewayError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A backend's whole answer, and what was known when it came."""

    status: int
    body: bytes
    version: str
    millis: float
    request_id: str


class Dialect(Protocol):
    """One hot route's language. ``path`` is the route's name in metrics and log."""

    path: str

    def parse(self, body: bytes, defaults: GenerationDefaults) -> Ask:
        """Raises BadRequest for what is no JSON, SchemaViolation for wrong fields.

        ``defaults`` belong to the default Model: only dialects without a model name use them.
        """
        ...

    def upstream_body(self, ask: Ask, route: ModelRoute) -> bytes:
        """The bytes for the backend."""
        ...

    def whole(self, reply: Reply) -> tuple[int, bytes]:
        """A whole answer of the backend, in the client's language."""
        ...

    def failure(self, error: GatewayError, request_id: str) -> tuple[int, bytes]:
        """An error of the gateway's own."""
        ...


def read_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object. Raises BadRequest."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadRequest("the body must be a JSON object")
    return value
