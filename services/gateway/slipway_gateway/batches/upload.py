"""A file on its way from the client into PostgreSQL, a chunk at a time.

No more than a chunk is in memory, and no connection of the pool is held while a slow client sends.
The file appears whole or not at all: its row is written last.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from fastapi import Request
from starlette.requests import ClientDisconnect

from slipway_gateway.batches.form import FIELD, UploadForm
from slipway_gateway.batches.stored import stored
from slipway_gateway.errors import BadRequest, RequestTimeout, TooLarge
from slipway_store import files
from slipway_store.connect import Pool
from slipway_store.errors import UNAVAILABLE
from slipway_store.files import CHUNK, StoredFile

if TYPE_CHECKING:
    from slipway_gateway.app import Gateway

logger = logging.getLogger(__name__)

NAME_LIMIT = 255
PURPOSE = "batch"
# A form is a little more than its file.
FORM_LIMIT = 65_536
# Bytes a second that a client sends at least, or it holds its connection for days.
SLOWEST = 10_000


class Upload:
    """One file; ``receive`` once."""

    def __init__(self, gateway: Gateway, *, tenant: str) -> None:
        self._gateway = gateway
        self._tenant = tenant
        self._id = files.new_file_id()
        self._limit = gateway.settings.file_limit
        self._held = bytearray()
        self._chunks = 0
        self._size = 0

    async def receive(self, request: Request) -> StoredFile:
        """The stored file. Raises BadRequest, TooLarge, RequestTimeout, NoCapacity."""
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > self._limit + FORM_LIMIT:
            raise self._too_large()
        form = UploadForm(request.headers.get("content-type", ""))
        await self._check_room()
        try:
            await self._read(request, form)
            return await self._finish(form)
        except BaseException:
            await self._forget()
            raise

    async def _check_room(self) -> None:
        """Raises TooLarge where the tenant has stored too much already. What is being uploaded at
        the same time is not known yet: a tenant may pass the limit by that."""
        limit, tenant = self._gateway.settings.files_limit, self._tenant
        if not limit:
            return
        held = await stored(self._gateway, lambda pool: files.stored_bytes(pool, tenant=tenant))
        if held >= limit:
            raise TooLarge(
                f"{FIELD}: your files have {held} bytes, and {limit} are allowed (files_limit): "
                "delete some, what batches wrote counts too"
            )

    async def _read(self, request: Request, form: UploadForm) -> None:
        body = aiter(request.stream())
        received = 0
        patience = self._gateway.settings.body_timeout
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(patience):
                    data = await anext(body, None)
            except TimeoutError as error:
                raise RequestTimeout("the request body came too slowly") from error
            except ClientDisconnect as error:
                raise BadRequest("the request body is not whole") from error
            if data is None:
                return
            received += len(data)
            # Only the waiting for the client counts, not that for PostgreSQL.
            patience += len(data) / SLOWEST - (time.monotonic() - began)
            if received > self._limit + FORM_LIMIT:
                raise self._too_large()
            for piece in form.feed(data):
                await self._take(piece)

    async def _take(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            raise self._too_large()
        self._held += piece
        while len(self._held) > CHUNK:
            await self._store_chunk(bytes(self._held[:CHUNK]))
            del self._held[:CHUNK]

    async def _store_chunk(self, content: bytes) -> None:
        number = self._chunks
        self._chunks += 1
        await stored(self._gateway, lambda pool: files.store_chunk(pool, self._id, number, content))

    async def _finish(self, form: UploadForm) -> StoredFile:
        form.finish()
        if form.fields.get("purpose") != PURPOSE:
            raise BadRequest(f"purpose: must be {PURPOSE!r}", param="purpose")
        if self._size == 0:
            raise BadRequest(f"{FIELD}: it is empty", param=FIELD)
        content: bytes | None = bytes(self._held)
        if self._chunks:
            await self._store_chunk(content or b"")
            content = None
        name = (form.filename or "upload.jsonl")[:NAME_LIMIT]
        return await stored(self._gateway, lambda pool: self._create(pool, content, name))

    async def _create(self, pool: Pool, content: bytes | None, name: str) -> StoredFile:
        return await files.create_file(
            pool,
            content,
            file_id=self._id,
            size=self._size,
            tenant=self._tenant,
            filename=name,
            purpose=PURPOSE,
        )

    async def _forget(self) -> None:
        pool = self._gateway.link.pool
        if self._chunks and pool is not None:
            try:
                await files.forget_chunks(pool, self._id)
            except UNAVAILABLE as error:
                logger.info("parts of an upload wait to be pruned: %r", error)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"{FIELD}: over {self._limit} bytes (file_limit)")
