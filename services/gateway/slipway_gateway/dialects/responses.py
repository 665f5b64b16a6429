"""OpenAI's ``/v1/responses`` on engines that know chats: mapped there and back.

Requests become chats (``responses_request``), whole answers and streams become Responses
(``responses_answer``, ``responses_stream``). What cannot be mapped is refused by name, so that a
client never believes in something that did not happen.
"""

from __future__ import annotations

from typing import Any

from slipway_contracts.model import GenerationDefaults
from slipway_gateway.ask import Ask
from slipway_gateway.control.route import Route
from slipway_gateway.dialects.base import Reply, read_object, write_object
from slipway_gateway.dialects.openai import Chat, OpenAIShape
from slipway_gateway.dialects.responses_answer import whole_response
from slipway_gateway.dialects.responses_request import chat_body, echo_of, read_request
from slipway_gateway.dialects.responses_stream import ResponseStream


class Responses(OpenAIShape):
    """``POST /v1/responses``."""

    path = "/v1/responses"

    def __init__(self, *, remote_media: bool = False) -> None:
        self._chat = Chat(remote_media=remote_media)

    def parse(self, body: bytes, defaults: GenerationDefaults) -> Ask:
        fields = read_object(body)
        request = read_request(fields)
        echo = echo_of(request)
        # The answer repeats it one level deeper than the request had it.
        write_object({"event": {"response": echo}})
        chat = self._chat.parse(write_object(chat_body(request, fields)), defaults)
        chat.conversation, chat.echo = request.prompt_cache_key, echo
        return chat

    def upstream_body(self, ask: Ask, route: Route) -> bytes:
        return self._chat.upstream_body(ask, route)

    def whole(self, reply: Reply) -> tuple[int, bytes]:
        if reply.status != 200:
            return super().whole(reply)
        return 200, whole_response(reply.body, _echo(reply.ask), reply.request_id)

    def stream(self, ask: Ask, request_id: str) -> ResponseStream:
        return ResponseStream(_echo(ask), request_id)


def _echo(ask: Ask | None) -> dict[str, Any]:
    return dict(ask.echo) if ask is not None and ask.echo is not None else {}
