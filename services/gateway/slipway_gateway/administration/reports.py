"""``/admin/usage`` and ``/admin/audit``: what was used, and what was changed by whom."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request

from slipway_gateway.administration.bodies import AuditLine, UsageLine
from slipway_gateway.administration.door import Door
from slipway_gateway.errors import BadRequest
from slipway_store.audit import list_audit
from slipway_store.usage import read_usage

LONGEST_DAYS = 400


def add_reports(router: APIRouter, door: Door) -> None:
    """Adds the routes."""

    @router.get("/usage", summary="By day (UTC), tenant, key, Model and version")
    async def usage(
        request: Request,
        first: Annotated[date | None, Query(alias="from", description="today if left out")] = None,
        last: Annotated[date | None, Query(alias="to", description="today if left out")] = None,
        tenant: Annotated[str | None, Query(max_length=128)] = None,
        model: Annotated[str | None, Query(max_length=128)] = None,
    ) -> list[UsageLine]:
        today = datetime.now(UTC).date()
        begin, end = first or last or today, last or today
        if not 0 <= (end - begin).days < LONGEST_DAYS:
            raise BadRequest(
                f"from: must not be after to, nor more than {LONGEST_DAYS} days before it",
                param="from",
            )
        found = await door.ask(
            lambda pool: read_usage(pool, first=begin, last=end, tenant=tenant, model=model)
        )
        return [UsageLine(**asdict(line)) for line in found]

    @router.get("/audit", summary="Changes, newest first")
    async def audit(
        request: Request,
        target: Annotated[
            str | None, Query(max_length=160, examples=["tenant:acme", "key:0123456789ab"])
        ] = None,
        before: Annotated[
            int | None, Query(ge=0, description="the last id of the page before")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[AuditLine]:
        found = await door.ask(
            lambda pool: list_audit(pool, target=target, before_id=before, limit=limit)
        )
        return [AuditLine(**asdict(entry)) for entry in found]
