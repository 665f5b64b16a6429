"""``POST /v1/feedback``: a person's judgement of one answer.

The answer's row is shipped behind the answer, so who judges at once waits for it a little. Few may
wait: ids that were never given must not keep connections of the pool, or this process, busy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from slipway_gateway.errors import NoCapacity, NotThere
from slipway_gateway.tenants.keys import Caller
from slipway_store.connect import Pool
from slipway_store.errors import UNAVAILABLE
from slipway_store.feedback import judge_answer

if TYPE_CHECKING:
    from slipway_gateway.app import Gateway

STORE_TIMEOUT = 5.0
SHIPPED_RETRY = 0.2
SHIPPED_WITHIN_TRIES = 5
WAITING_LIMIT = 32
_AWAY = "feedback cannot be stored now; try again in a few seconds"


class Feedback(BaseModel):
    """A person's judgement of one answer, by its ``x-request-id``."""

    model_config = ConfigDict(extra="forbid")

    request_id: str = Field(min_length=1, max_length=128)
    thumbs_down: bool


def feedback_router(gateway: Gateway, admit: Callable[[Gateway, Request], Caller]) -> APIRouter:
    """The one route."""
    router = APIRouter(tags=["Slipway"])
    waiting = asyncio.BoundedSemaphore(WAITING_LIMIT)

    @router.post("/v1/feedback", summary="Judge an answer", status_code=202)
    async def feedback(request: Request, body: Feedback) -> dict[str, Any]:
        tenant = admit(gateway, request).tenant
        pool = gateway.link.pool
        if pool is None or gateway.is_fenced():
            raise NoCapacity(_AWAY)
        if not await _judged(pool, tenant, body):
            if waiting.locked():
                raise NoCapacity("too many judgements wait for their answers; try again")
            async with waiting:
                await _soon(pool, tenant, body)
        return {"stored": True}

    return router


async def _soon(pool: Pool, tenant: str, body: Feedback) -> None:
    for _ in range(SHIPPED_WITHIN_TRIES):
        await asyncio.sleep(SHIPPED_RETRY)
        if await _judged(pool, tenant, body):
            return
    raise NotThere(
        "request_id: none of your answers has this id; it is in the header x-request-id",
        param="request_id",
    )


async def _judged(pool: Pool, tenant: str, body: Feedback) -> bool:
    try:
        async with asyncio.timeout(STORE_TIMEOUT):
            return await judge_answer(
                pool, request_id=body.request_id, tenant=tenant, thumbs_down=body.thumbs_down
            )
    except UNAVAILABLE as error:
        raise NoCapacity(_AWAY) from error
