"""What a dialect is: bytes → ``Ask`` on the way in, answers and errors in its own shape on the way
out. Dialects never route, never touch the network and know no web framework.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from slipway_contracts.model import GenerationDefaults
from slipway_gateway.ask import Ask
from slipway_gateway.control.route import Route
from slipway_gateway.errors import BadRequest, GatewayError


@dataclass(slots=True, init=False)
class Reply:
    """A backend's whole answer, and what was known when it came."""

    status: int
    body: bytes
    version: str
    millis: float
    request_id: str
    ask: Ask | None

    def __init__(
        self,
        status: int,
        body: bytes,
        version: str,
        millis: float,
        request_id: str,
        ask: Ask | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.version = version
        self.millis = millis
        self.request_id = request_id
        self.ask = ask


class Dialect(Protocol):
    """One hot route's language. ``path`` is the route's name in metrics and log."""

    path: str

    def parse(self, body: bytes, defaults: GenerationDefaults) -> Ask:
        """Raises BadRequest for what is no JSON, SchemaViolation for wrong fields.

        ``defaults`` belong to the default Model: only dialects without a model name use them.
        """
        ...

    def upstream_body(self, ask: Ask, route: Route) -> bytes:
        """The bytes for the backend."""
        ...

    def whole(self, reply: Reply) -> tuple[int, bytes]:
        """A whole answer of the backend, in the client's language."""
        ...

    def failure(self, error: GatewayError, request_id: str) -> tuple[int, bytes]:
        """An error of the gateway's own."""
        ...

    def stream(self, ask: Ask, request_id: str) -> StreamMap | None:
        """What turns the backend's stream into the client's; None: bytes pass as they are."""
        ...


class StreamMap(Protocol):
    """One stream in another language. All three give bytes for the client, which may be none."""

    def feed(self, events: bytes) -> bytes:
        """Whole events of the backend."""
        ...

    def end(self) -> bytes:
        """After the last one, at a proper end."""
        ...

    def failed(self, error: GatewayError) -> bytes:
        """The end of a stream that broke."""
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


def write_object(fields: Any) -> bytes:
    """As JSON again. Raises BadRequest: what can be read is not always shallow enough to write."""
    try:
        return orjson.dumps(fields)
    except orjson.JSONEncodeError as error:
        raise BadRequest(f"the body cannot be passed on: {error}") from error
