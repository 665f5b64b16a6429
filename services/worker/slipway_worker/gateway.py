"""The gateway's OpenAI API, as jobs call it: whole answers, on behalf of who asked.

The worker's own key opens the gateway; limits and usage are the asker's.

What the gateway answers is sorted into the worker's errors: a limit, no capacity or nobody there is
for later, a broken answer is a failed attempt, a refused request is hopeless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from slipway_contracts.behalf import Asker, credential_for
from slipway_contracts.names import (
    HEADER_CONVERSATION,
    HEADER_REQUEST_ID,
    HEADER_USER,
    HEADER_VERSION,
)
from slipway_worker.errors import AttemptFailed, Hopeless, TryLater
from slipway_worker.tracing import trace_headers

CONNECT_TIMEOUT = 5.0
# Stands for a key where none is needed.
KEYLESS = "none"
ANSWER_LIMIT = 64 * 1024 * 1024
# Asked too early, too much or with nobody there to answer: 401 and 403 are ours to put right.
_LATER = frozenset({401, 403, 408, 425, 429, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A model's answer, the version that gave it, and the request's id in the log."""

    text: str
    version: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """An answer as it came: 200, or a refusal that is the request's own doing."""

    status: int
    body: bytes
    version: str
    request_id: str

    def json_text(self) -> str:
        """The body, if it is JSON. Raises AttemptFailed."""
        try:
            orjson.loads(self.body)
            return self.body.decode()
        except (orjson.JSONDecodeError, UnicodeDecodeError) as error:
            raise AttemptFailed("the answer is not JSON") from error


class GatewayClient:
    """``async with GatewayClient(url, api_key=…, timeout=…) as gateway``."""

    def __init__(self, url: str, *, api_key: str | None, timeout: float, connections: int) -> None:
        self._url = url
        self._headers = {"content-type": "application/json"}
        self._api_key = api_key
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_TIMEOUT)
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=self._timeout,
            headers=self._headers,
            connector=aiohttp.TCPConnector(limit=self._connections),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def chat(self, model: str, text: str, *, conversation: str, asker: Asker) -> Reply:
        """One question as a chat. Raises the package's errors."""
        body = {"model": model, "messages": [{"role": "user", "content": text}]}
        # Whatever the Model's split goes by, the same question meets the same version.
        headers = {HEADER_CONVERSATION: conversation, HEADER_USER: conversation}
        answer = await self.ask(
            "/v1/chat/completions", orjson.dumps(body), asker=asker, headers=headers
        )
        if answer.status != 200:
            said = _message_of(answer.body)
            raise Hopeless(f"the gateway answered {answer.status}: {said}", told=said)
        return Reply(
            text=_text_of(answer.body), version=answer.version, request_id=answer.request_id
        )

    async def ask(
        self, path: str, body: bytes, *, asker: Asker, headers: Mapping[str, str] | None = None
    ) -> RawAnswer:
        """One request. Raises TryLater and AttemptFailed."""
        assert self._session is not None
        headers = {**trace_headers(), **(headers or {}), **self._authorization(asker)}
        try:
            async with self._session.post(self._url + path, data=body, headers=headers) as response:
                answer = await _whole(response)
                told = response.headers
                problem = refusal(response.status, told.get("retry-after"), answer)
                if problem is not None:
                    raise problem
                return RawAnswer(
                    status=response.status,
                    body=answer,
                    version=told.get(HEADER_VERSION, ""),
                    request_id=told.get(HEADER_REQUEST_ID, ""),
                )
        except aiohttp.ClientConnectorError as error:
            raise TryLater(f"the gateway cannot be reached: {type(error).__name__}") from error
        except aiohttp.ClientError as error:
            raise AttemptFailed(f"the answer broke off: {type(error).__name__}") from error

    def _authorization(self, asker: Asker) -> dict[str, str]:
        """A keyless worker says for whom it asks, too, unless that is nobody, either."""
        if self._api_key is None and not asker.tenant:
            return {}
        secret = KEYLESS if self._api_key is None else self._api_key
        return {"authorization": f"Bearer {credential_for(secret, asker)}"}


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    answer = bytearray()
    async for piece in response.content.iter_any():
        answer += piece
        if len(answer) > ANSWER_LIMIT:
            raise AttemptFailed(f"the answer is larger than {ANSWER_LIMIT} bytes")
    return bytes(answer)


def refusal(status: int, retry_after: str | None, body: bytes) -> TryLater | AttemptFailed | None:
    """Why the job must be tried again; None for an answer, or a refusal that will not change."""
    if status == 200 or (400 <= status < 500 and status not in _LATER):
        return None
    message = f"the gateway answered {status}: {_message_of(body)}"
    if status in _LATER:
        return TryLater(message, after=_seconds(retry_after))
    return AttemptFailed(message)


def _seconds(retry_after: str | None) -> float | None:
    try:
        found = float(retry_after or "")
    except ValueError:
        return None
    return found if 0 <= found < float("inf") else None


def _text_of(body: bytes) -> str:
    try:
        text = orjson.loads(body)["choices"][0]["message"]["content"]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError) as error:
        raise AttemptFailed("the answer is not a chat completion") from error
    if not isinstance(text, str):
        raise AttemptFailed("the answer has no text")
    return text


def _message_of(body: bytes) -> str:
    try:
        error: Any = orjson.loads(body)["error"]
        return str(error["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "no reason given"
