"""The HTTP client towards backends: one aiohttp session, bytes in, bytes out.

Knows no dialect, no route and no log. Every failure comes out as one of the three
``BackendError``s; the one that matters is ``BackendUnreachable``: the backend never took the
request, so it may be sent elsewhere. Content is asked for unencoded, since it is read on the way.
"""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from yarl import URL

from slipway_gateway.errors import BackendBroken, BackendError, BackendUnreachable

# Below the 5 s after which many servers (uvicorn's default) close an idle connection: the one who
# closes first never sends a request into a connection that is being closed.
KEEPALIVE_SECONDS = 4.0
_HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
        "transfer-encoding", "upgrade", "content-length", "date", "server",
        "x-request-id", "x-slipway-version", "set-cookie",
    }
)  # fmt: skip


class Answer:
    """An answer whose head has come. ``close`` may be called at any time and is what cancels."""

    def __init__(self, response: aiohttp.ClientResponse, limit: int) -> None:
        self._response = response
        self._limit = limit
        self.status = response.status
        self.content_type = response.headers.get("content-type", "application/json")

    @property
    def is_stream(self) -> bool:
        """Server-sent events."""
        return self.content_type.startswith("text/event-stream")

    def never_taken(self, *, last: bool) -> bool:
        """The proxy in front of the version answered, not the version: it has no room or no such
        application. The last attempt's 503 is passed on as it is."""
        if self.status == 404:
            return not self.content_type.startswith("application/json")
        return self.status == 503 and not last

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What may be passed on: the backend's own headers without those of the hop."""
        return [
            (name.lower(), value)
            for name, value in self._response.raw_headers
            if name.decode("latin-1").lower() not in _HOP
        ]

    async def chunk(self) -> bytes:
        """What has come since the last call; b"" at a proper end. Raises BackendBroken."""
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, ConnectionError) as error:
            raise BackendBroken("the backend broke off in the middle of its answer") from error

    async def whole(self) -> bytes:
        """The whole body. Raises BackendBroken, also when it is over the limit."""
        parts = []
        size = 0
        while part := await self.chunk():
            size += len(part)
            if size > self._limit:
                raise BackendBroken("the backend's answer is larger than answer_limit")
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Cut the connection, unless the answer was read to its end: then it is kept alive."""
        if not self._response.content.at_eof():
            self._response.close()


class Upstream:
    """The session. Open it inside the running loop; close it at the end."""

    def __init__(self, *, connect_timeout: float, answer_limit: int) -> None:
        # Everything but connecting is bounded by the exchange's own deadlines.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout)
        self._limit = answer_limit
        self._urls: dict[tuple[str, str], URL] = {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, ttl_dns_cache=30, keepalive_timeout=KEEPALIVE_SECONDS
            ),
            timeout=timeout,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )

    async def post(self, base: str, path: str, *, body: bytes, headers: dict[str, str]) -> Answer:
        """Send a request and wait for the head of its answer. Raises BackendError."""
        url = self._urls.get((base, path))
        if url is None:
            if len(self._urls) > 1000:
                self._urls.clear()
            url = self._urls[base, path] = URL(base.rstrip("/") + path)
        try:
            response = await self._session.post(
                url, data=body, headers=headers, allow_redirects=False
            )
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            raise _failure(error) from error
        return Answer(response, self._limit)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()
        # aiohttp closes transports on the next turn of the loop.
        await asyncio.sleep(0)


def _failure(error: Any) -> BackendError:
    if isinstance(error, aiohttp.ServerTimeoutError | TimeoutError):
        return BackendUnreachable("the backend did not accept a connection in time")
    never_taken = (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError, ConnectionError)
    if isinstance(error, never_taken):
        # A kept-alive connection that the backend closed meanwhile looks like a disconnect before
        # the head; nothing has been answered, so asking again is safe for the client.
        return BackendUnreachable("the backend is not reachable")
    return BackendBroken("the backend's answer is not HTTP")
