"""Bodies of cold routes are bounded as those of hot ones are.

FastAPI reads a whole body into memory before a route asks who calls, so the bound is here, around
it. An upload of a file comes in pieces and has a limit of its own.
"""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException

UPLOADS = frozenset({"/v1/files"})


class BoundedBodies:
    """ASGI around ``app``: a body over ``limit`` bytes is answered 413."""

    def __init__(self, app: Any, *, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] in UPLOADS:
            await self._app(scope, receive, send)
            return
        size = 0

        async def bounded() -> Any:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._limit:
                # The one error that FastAPI passes on from inside a body.
                raise HTTPException(413, f"the body is over {self._limit} bytes")
            return message

        await self._app(scope, bounded, send)
