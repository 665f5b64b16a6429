"""``/v1/files``: upload, list, look, read, delete. In OpenAI's shapes; a tenant sees its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from slipway_gateway.batches.stored import stored
from slipway_gateway.batches.upload import Upload
from slipway_gateway.errors import NotThere
from slipway_gateway.tenants.counted import counted
from slipway_gateway.tenants.keys import Caller
from slipway_store import files
from slipway_store.files import StoredFile

if TYPE_CHECKING:
    from slipway_gateway.app import Gateway

Admit = Callable[["Gateway", Request], Caller]
# The body is read as it comes, so FastAPI cannot tell what it is.
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "JSON lines"},
                        "purpose": {"type": "string", "enum": ["batch"]},
                    },
                }
            }
        },
    }
}


def files_router(gateway: Gateway, admit: Admit) -> APIRouter:
    """The five routes."""
    router = APIRouter(prefix="/v1/files", tags=["OpenAI"])

    @router.post("", summary="Upload the input of a batch", openapi_extra=_FORM)
    async def upload(request: Request) -> dict[str, Any]:
        caller = admit(gateway, request)
        async with counted(gateway.limits, gateway.metrics, caller):
            made = await Upload(gateway, tenant=caller.tenant).receive(request)
        return _shown(made)

    @router.get("", summary="The tenant's files, the latest first")
    async def listing(
        request: Request,
        purpose: str | None = None,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> dict[str, Any]:
        tenant = admit(gateway, request).tenant
        found = await stored(
            gateway,
            lambda pool: files.list_files(
                pool, tenant=tenant, purpose=purpose, after=after, limit=limit + 1
            ),
        )
        return page([_shown(one) for one in found], limit)

    @router.get("/{file_id}", summary="One file")
    async def look(request: Request, file_id: str) -> dict[str, Any]:
        tenant = admit(gateway, request).tenant
        found = await stored(gateway, lambda pool: files.get_file(pool, file_id, tenant=tenant))
        if found is None:
            raise _missing(file_id)
        return _shown(found)

    @router.get("/{file_id}/content", summary="A file's content")
    async def content(request: Request, file_id: str) -> Response:
        tenant = admit(gateway, request).tenant
        found = await stored(gateway, lambda pool: files.get_file(pool, file_id, tenant=tenant))
        pool = gateway.link.pool
        if found is None or pool is None:
            raise _missing(file_id)
        disposition = f"attachment; filename*=UTF-8''{quote(found.filename, safe='')}"
        headers = {"content-disposition": disposition, "content-length": str(found.bytes)}
        return StreamingResponse(
            files.read_chunks(pool, file_id, tenant=tenant),
            media_type="application/octet-stream",
            headers=headers,
        )

    @router.delete("/{file_id}", summary="Delete a file")
    async def delete(request: Request, file_id: str) -> dict[str, Any]:
        tenant = admit(gateway, request).tenant
        if not await stored(gateway, lambda pool: files.delete_file(pool, file_id, tenant=tenant)):
            raise _missing(file_id)
        return {"id": file_id, "object": "file", "deleted": True}

    return router


def page(found: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    """OpenAI's list; ``found`` may have one more than was asked for."""
    data = found[:limit]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": len(found) > limit,
    }


def _shown(file: StoredFile) -> dict[str, Any]:
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": int(file.created_at.timestamp()),
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
    }


def _missing(file_id: str) -> NotThere:
    return NotThere(f"there is no file {file_id}; /v1/files lists yours", param="file_id")
