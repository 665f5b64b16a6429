"""``/v1/batches``: create, list, look, cancel. In OpenAI's shapes; a tenant sees its own.

The gateway stores and tells; reading the input, asking and writing the files is the worker's.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator

from slipway_gateway.batches.files import Admit, page
from slipway_gateway.batches.stored import stored
from slipway_gateway.errors import NotThere
from slipway_gateway.tenants.counted import counted
from slipway_store import batches, files
from slipway_store.batches import Batch

if TYPE_CHECKING:
    from slipway_gateway.app import Gateway

Endpoint = Literal["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"]
Metadata = dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]]
_TIMES = (
    *("created", "in_progress", "expires", "finalizing", "completed", "failed"),
    *("cancelling", "cancelled", "expired"),
)


class BatchBody(BaseModel):
    """What to run."""

    model_config = ConfigDict(extra="forbid")

    input_file_id: str = Field(min_length=1, max_length=64)
    endpoint: Endpoint
    completion_window: Literal["24h"]
    metadata: Metadata | None = Field(default=None, max_length=16)

    @field_validator("metadata")
    @classmethod
    def _can_be_stored(cls, metadata: Metadata | None) -> Metadata | None:
        if any("\0" in text for item in (metadata or {}).items() for text in item):
            raise ValueError("must not hold NUL characters")
        return metadata


def batches_router(gateway: Gateway, admit: Admit) -> APIRouter:
    """The four routes."""
    router = APIRouter(prefix="/v1/batches", tags=["OpenAI"])

    @router.post("", summary="Run a file of requests, within a day")
    async def create(request: Request, body: BatchBody) -> dict[str, Any]:
        caller = admit(gateway, request)
        # A key's scopes hold for what its batch asks, too.
        caller.check_route(body.endpoint)
        file = await stored(
            gateway, lambda pool: files.get_file(pool, body.input_file_id, tenant=caller.tenant)
        )
        if file is None:
            raise NotThere(
                f"input_file_id: there is no file {body.input_file_id}", param="input_file_id"
            )
        async with counted(gateway.limits, gateway.metrics, caller):
            made = await stored(
                gateway,
                lambda pool: batches.create_batch(
                    pool,
                    tenant=caller.tenant,
                    endpoint=body.endpoint,
                    input_file_id=file.id,
                    models=caller.models,
                    metadata=body.metadata,
                    priority=caller.priority,
                    key_id=caller.key_id,
                ),
            )
        return _shown(made)

    @router.get("", summary="The tenant's batches, the latest first")
    async def listing(
        request: Request,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> dict[str, Any]:
        tenant = admit(gateway, request).tenant
        found = await stored(
            gateway,
            lambda pool: batches.list_batches(pool, tenant=tenant, after=after, limit=limit + 1),
        )
        return page([_shown(one) for one in found], limit)

    @router.get("/{batch_id}", summary="One batch")
    async def look(request: Request, batch_id: str) -> dict[str, Any]:
        tenant = admit(gateway, request).tenant
        found = await stored(gateway, lambda pool: batches.get_batch(pool, batch_id, tenant=tenant))
        if found is None:
            raise _missing(batch_id)
        return _shown(found)

    @router.post("/{batch_id}/cancel", summary="Leave out what is not answered yet")
    async def cancel(request: Request, batch_id: str) -> dict[str, Any]:
        tenant = admit(gateway, request).tenant
        found = await stored(
            gateway, lambda pool: batches.cancel_batch(pool, batch_id, tenant=tenant)
        )
        if found is None:
            raise _missing(batch_id)
        return _shown(found)

    return router


def _shown(batch: Batch) -> dict[str, Any]:
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": batch.errors,
        "input_file_id": batch.input_file_id,
        "completion_window": "24h",
        "status": batch.status,
        "output_file_id": batch.output_file_id,
        "error_file_id": batch.error_file_id,
        **{f"{name}_at": _unix(getattr(batch, f"{name}_at")) for name in _TIMES},
        "request_counts": {
            "total": batch.total,
            "completed": batch.completed,
            "failed": batch.failed,
        },
        "metadata": batch.metadata,
    }


def _unix(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())


def _missing(batch_id: str) -> NotThere:
    return NotThere(f"there is no batch {batch_id}; /v1/batches lists yours", param="batch_id")
