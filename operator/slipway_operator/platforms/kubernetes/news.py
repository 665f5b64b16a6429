"""Kopf's HTTP session, in which what the cache knows already is no event any more.

Half of what a watch tells are echoes of the operator's own writes, and a list at the start repeats
what was just listed; each would cost Kopf a millisecond of Python's lock. So the bodies of answers
are sifted before Kopf reads them: an echo becomes a bookmark (the stream goes on from there), and
managed fields are left out. A deletion is always told. Knows nothing of Kopf but that it reads
lists by ``json`` and watches by ``content.iter_chunked``.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import orjson

from slipway_operator.platforms.kubernetes.api import Access
from slipway_operator.platforms.kubernetes.kinds import WATCHED, Body, Kind, resource_version

# Whether a body says what the cache does not know. Called in Kopf's thread.
IsNews = Callable[[Kind, Body], bool]

KINDS = {kind.plural: kind for kind in WATCHED}


def news_session(access: Access, is_news: IsNews) -> aiohttp.ClientSession:
    """A session for the event loop that runs now; whoever asks for it closes it."""

    class NewsOnly(aiohttp.ClientResponse):
        """An answer of which only the news is told."""

        async def start(self, connection: Any) -> aiohttp.ClientResponse:
            await super().start(connection)
            kind = KINDS.get(self.url.name)
            if kind is not None and self.status == 200 and "watch" in self.url.query:
                self.content = Sifted(self.content, lambda body: is_news(kind, body))  # type: ignore[assignment]
            return self

        async def json(self, **_: Any) -> Any:
            answer = orjson.loads(await self.read())
            kind = KINDS.get(self.url.name)
            if kind is not None and isinstance(answer.get("items"), list):
                answer["items"] = [body for body in answer["items"] if is_news(kind, body)]
            return answer

    context = ssl.create_default_context(cafile=access.ca)
    if access.certificate:
        context.load_cert_chain(access.certificate, access.private_key)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=context),
        headers={"Authorization": f"Bearer {access.token}"} if access.token else None,
        response_class=NewsOnly,
    )


class Sifted:
    """The content of a watch: JSON lines, of which only news and deletions are whole."""

    def __init__(self, content: Any, is_news: Callable[[Body], bool]) -> None:
        self._content = content
        self._is_news = is_news

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Whole lines, as they come."""
        rest = b""
        async for data in self._content.iter_chunked(size):
            whole, newline, end = data.rpartition(b"\n")
            if not newline:
                rest += data
                continue
            lines, rest = (rest + whole).split(b"\n"), end
            yield b"".join(sifted(line, self._is_news) + b"\n" for line in lines if line)
        if rest:
            yield rest


def sifted(line: bytes, is_news: Callable[[Body], bool]) -> bytes:
    """One event of a watch, as it is told."""
    event = orjson.loads(line)
    body = event.get("object") or {}
    if event.get("type") in ("ADDED", "MODIFIED") and not is_news(body):
        place = {"metadata": {"resourceVersion": resource_version(body)}}
        return orjson.dumps({"type": "BOOKMARK", "object": place})
    (body.get("metadata") or {}).pop("managedFields", None)
    return orjson.dumps(event)
