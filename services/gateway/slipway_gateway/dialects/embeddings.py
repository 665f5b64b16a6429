"""OpenAI's ``/v1/embeddings``: bytes pass untouched in both directions.

Only the model and the input's shape are looked at; the encoding, the dimensions and everything else
are for the engine to accept or refuse. Answered by Models of the task ``embedding``.
"""

from __future__ import annotations

from slipway_contracts.model import GenerationDefaults, Task
from slipway_gateway.ask import Ask
from slipway_gateway.dialects.base import read_object, write_object
from slipway_gateway.dialects.openai import OpenAIShape, read_common
from slipway_gateway.errors import SchemaViolation


class Embeddings(OpenAIShape):
    """``POST /v1/embeddings``."""

    path = "/v1/embeddings"

    def parse(self, body: bytes, defaults: GenerationDefaults) -> Ask:
        fields = read_object(body)
        if "messages" in fields:
            # An engine could take the whole for a chat, and fetch what addresses it has.
            raise SchemaViolation("messages is not supported: send input", param="messages")
        text = _input_text(fields.get("input"))
        ask = read_common(fields, self.path, body)
        if ask.stream:
            raise SchemaViolation("embeddings are not streamed; leave stream out", param="stream")
        ask.text = ask.first = text
        ask.task = Task.EMBEDDING
        return ask


def _input_text(given: object) -> str:
    """A text, several, or tokens, for the log and the unit. Raises SchemaViolation."""
    if isinstance(given, str) and given:
        return given
    if isinstance(given, list) and given:
        if all(isinstance(part, str) and part for part in given):
            return "\n".join(given)
        if _is_tokens(given) or all(isinstance(part, list) and _is_tokens(part) for part in given):
            return write_object(given).decode()
    raise SchemaViolation(
        "input must be text, a list of texts, tokens, or a list of lists of tokens, none of them "
        "empty",
        param="input",
    )


def _is_tokens(given: list[object]) -> bool:
    return bool(given) and all(type(token) is int for token in given)
