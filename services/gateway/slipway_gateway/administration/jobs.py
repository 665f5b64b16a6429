"""``/admin/jobs``: what the worker's queue holds, and dead jobs back into it.

In a cluster this is the only way to them; payloads are not shown, because they may be a tenant's.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from slipway_gateway.administration.door import Door
from slipway_store import jobs as store

MOST_AT_ONCE = 10_000
JobId = Annotated[int, Field(ge=1, lt=2**63)]


class JobView(BaseModel):
    """A job. ``reason`` and ``died_at`` of dead ones; ``due``, when it may run, of the others."""

    id: int
    kind: str
    tenant: str
    state: Literal["dead", "waiting", "delayed", "running"]
    attempts: int
    created_at: datetime
    reason: str | None = None
    died_at: datetime | None = None
    due: datetime | None = None


class Jobs(BaseModel):
    """``dead``: the latest first. ``queued``: in the order in which they came."""

    dead: list[JobView]
    queued: list[JobView]


class Retry(BaseModel):
    """Which dead jobs are queued again: these, or all of them."""

    model_config = ConfigDict(extra="forbid")

    ids: list[JobId] | None = Field(default=None, min_length=1, max_length=MOST_AT_ONCE)
    all: Literal[True] | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Retry:
        if (self.ids is None) == (self.all is None):
            raise ValueError('give ids, or "all": true')
        return self


class Retried(BaseModel):
    """Their ids, which they keep."""

    ids: list[int]


def add_jobs(router: APIRouter, door: Door) -> None:
    """Adds the routes."""

    @router.get("/jobs", summary="Jobs that were given up, and those that wait or run")
    async def list_jobs(
        request: Request, limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 200
    ) -> Jobs:
        dead = await door.ask(lambda pool: store.list_dead(pool, limit=limit))
        queued = await door.ask(lambda pool: store.list_queued(pool, limit=limit))
        return Jobs(
            dead=[JobView(**asdict(job), state="dead") for job in dead],
            queued=[JobView(**asdict(job)) for job in queued],
        )

    @router.post("/jobs/retry", summary="Queue dead jobs again, as if they were new")
    async def retry_jobs(request: Request, body: Retry) -> Retried:
        actor = door.actor(request)
        return Retried(
            ids=await door.ask(lambda pool: store.retry_dead(pool, body.ids, actor=actor))
        )
