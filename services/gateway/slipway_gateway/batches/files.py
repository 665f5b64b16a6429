"""``/v1/files``: upload, list, look, read, delete. In OpenAI's shapes; a tenant sees its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile

from slipway_gateway.batches.stored import stored
from slipway_gateway.errors import BadRequest, NotThere
from slipway_gateway.tenants.keys import Caller
from slipway_store import files
from slipway_store.files import StoredFile

if TYPE_CHECKING:
    from slipway_gateway.app import Gateway

Admit = Callable[["Gateway", Request], Caller]
NAME_LIMIT = 255


def files_router(gateway: Gateway, admit: Admit) -> APIRouter:
    """The five routes."""
    router = APIRouter(prefix="/v1/files", tags=["OpenAI"])

    @router.post("", summary="Upload the input of a batch")
    async def upload(
        request: Request,
        file: Annotated[UploadFile, File(description="JSON lines")],
        purpose: Annotated[Literal["batch"], Form()],
    ) -> dict[str, Any]:
        caller = admit(gateway, request)
        name = (file.filename or "upload.jsonl")[:NAME_LIMIT]
        content = await file.read()
        if not content:
            raise BadRequest("file: it is empty", param="file")
        made = await stored(
            gateway,
            lambda pool: files.create_file(
                pool, content, tenant=caller.tenant, filename=name, purpose=purpose
            ),
        )
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
        found = await stored(gateway, lambda pool: files.read_file(pool, file_id, tenant=tenant))
        if found is None:
            raise _missing(file_id)
        name, held = found
        disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        return Response(
            held,
            media_type="application/octet-stream",
            headers={"content-disposition": disposition},
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
