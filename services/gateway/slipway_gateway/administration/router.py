"""The router of ``/admin``: tenants, keys, jobs, usage, audit, each with the errors it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends

from slipway_gateway.administration.door import Admit, Door
from slipway_gateway.administration.jobs import add_jobs
from slipway_gateway.administration.keys import add_keys
from slipway_gateway.administration.reports import add_reports
from slipway_gateway.administration.tenants import add_tenants

if TYPE_CHECKING:
    from slipway_gateway.app import Gateway

_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "a field is wrong; the message names it"},
    401: {"description": "no valid key"},
    403: {"description": "the key lacks the admin endpoint scope"},
    404: {"description": "there is no such tenant, key or dead job"},
    409: {"description": "the state of the tenant or key does not allow it"},
    503: {"description": "the database is away"},
}


def admin_router(gateway: Gateway, admit: Admit) -> APIRouter:
    """Every route under ``/admin``; ``Door`` asks who calls before anything else."""
    door = Door(gateway, admit)
    enter = Depends(door.enter)
    router = APIRouter(prefix="/admin", tags=["Admin"], responses=_ERRORS, dependencies=[enter])
    add_tenants(router, door)
    add_keys(router, door)
    add_jobs(router, door)
    add_reports(router, door)
    return router
