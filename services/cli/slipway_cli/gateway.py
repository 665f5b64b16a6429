"""Talking to the gateway's OpenAI API: one chat completion as a stream of text.

Knows HTTP and server-sent events; no database and no terminal.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from slipway_cli.errors import CliError, InvalidInput, NotFound, NotRunning
from slipway_contracts.names import HEADER_CONVERSATION, HEADER_REQUEST_ID, HEADER_VERSION

FIRST_BYTE_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One chat request. ``messages`` are OpenAI's role and content; ``extra`` its other fields."""

    model: str
    messages: Sequence[Mapping[str, str]]
    conversation: str
    key: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Answer:
    """What came beside the text; filled while the stream is read."""

    version: str = ""
    request_id: str = ""
    finish_reason: str = ""


async def stream_chat(url: str, ask: Ask, answer: Answer) -> AsyncIterator[str]:
    """Pieces of the answer's text as they come. Raises NotRunning, NotFound, CliError."""
    headers = {HEADER_CONVERSATION: ask.conversation}
    if ask.key:
        headers["Authorization"] = f"Bearer {ask.key}"
    body = {"model": ask.model, "messages": list(ask.messages), "stream": True, **ask.extra}
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=FIRST_BYTE_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as client,
            client.post(f"{url}/v1/chat/completions", json=body, headers=headers) as response,
        ):
            answer.version = response.headers.get(HEADER_VERSION, "")
            answer.request_id = response.headers.get(HEADER_REQUEST_ID, "")
            if response.status != 200:
                raise _refusal(response.status, await response.text(), ask, answer.request_id)
            async for event in _events(response.content):
                for text in _texts(event, answer):
                    yield text
    except aiohttp.ClientConnectorError:
        raise NotRunning(f"no gateway answers at {url}: run `slipway up` first") from None
    except TimeoutError:
        raise CliError(
            f"no answer within {FIRST_BYTE_SECONDS:.0f} s; see: slipway doctor"
        ) from None
    except aiohttp.ClientError as error:
        raise CliError(f"the answer broke off: {error or type(error).__name__}") from None


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[dict[str, Any]]:
    """``data:`` lines up to ``[DONE]``, parsed."""
    async for raw in content:
        line = raw.strip()
        if not line.startswith(b"data:"):
            continue
        data = line[len(b"data:") :].strip()
        if data == b"[DONE]":
            return
        try:
            event = json.loads(data)
        except ValueError:
            raise CliError("the gateway sent an event that is not JSON; see its log") from None
        if isinstance(event, dict):
            yield event


def _texts(event: dict[str, Any], answer: Answer) -> list[str]:
    if "error" in event:
        raise CliError(f"the answer broke off: {_message(event) or event['error']}")
    texts = []
    for choice in event.get("choices") or []:
        answer.finish_reason = choice.get("finish_reason") or answer.finish_reason
        text = (choice.get("delta") or {}).get("content")
        if text:
            texts.append(str(text))
    return texts


def _refusal(status: int, body: str, ask: Ask, request_id: str) -> CliError:
    try:
        message = _message(json.loads(body)) or body
    except ValueError:
        message = body
    message = message.strip()[:500] or "no message"
    match status:
        case 401 | 403:
            fix = "give a key: --key or SLIPWAY_API_KEY (`slipway keys create NAME` makes one)"
            return InvalidInput(f"the gateway refused the key: {message}; {fix}")
        case 404:
            return NotFound(f"{ask.model}: {message}; `slipway get models` lists what serves")
        case 400 | 422:
            return InvalidInput(f"the gateway refused the request: {message}")
        case _:
            shown = f" (request {request_id})" if request_id else ""
            return CliError(f"the gateway answered {status}: {message}{shown}")


def _message(body: object) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        return str(error.get("message", ""))
    return str(error) if error else ""
