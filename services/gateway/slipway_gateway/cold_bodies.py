"""Bodies of cold routes are bounded as those of hot ones are: in bytes and in time.

FastAPI reads a whole body into memory before a route asks who calls, so the bounds are here, around
it. An upload of a file comes in pieces and has limits of its own.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.exceptions import HTTPException

UPLOADS = frozenset({"/v1/files"})


class BoundedBodies:
    """ASGI around ``app``: a body over ``limit`` bytes is answered 413, one that is not whole
    after ``timeout`` seconds 408."""

    def __init__(self, app: Any, *, limit: int, timeout: float) -> None:
        self._app = app
        self._limit = limit
        self._timeout = timeout

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] in UPLOADS:
            await self._app(scope, receive, send)
            return
        body = _Body(receive, send, limit=self._limit, timeout=self._timeout)
        await self._app(scope, body.receive, body.send)


class _Body:
    """One request's. Raises the one error that FastAPI passes on from inside a body."""

    def __init__(self, receive: Any, send: Any, *, limit: int, timeout: float) -> None:
        self._receive = receive
        self._send = send
        self._limit = limit
        self._timeout = timeout
        self._deadline = asyncio.get_running_loop().time() + timeout
        self._size = 0
        self._whole = False
        self._answered = False

    async def receive(self) -> Any:
        if self._whole or self._answered:
            # Whoever listens now waits for the client to leave, and may do so for long.
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            if self._answered:
                return await self._receive()
            said = f"the body did not come within {self._timeout:g} s"
            # What is left of it is not waited for.
            raise HTTPException(408, said, headers={"connection": "close"}) from None
        self._whole = not message.get("more_body", False)
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            raise HTTPException(413, f"the body is over {self._limit} bytes")
        return message

    async def send(self, message: Any) -> None:
        self._answered = True
        await self._send(message)
