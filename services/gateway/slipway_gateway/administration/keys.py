"""``/admin/keys``: create, list, rotate, revoke. A secret is in one answer and nowhere else."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from slipway_gateway.administration.bodies import (
    KeyView,
    KeyWithSecret,
    Name,
    NewKeyBody,
    Rotation,
)
from slipway_gateway.administration.door import Door
from slipway_store import keys as store

KeyId = Annotated[str, Path(pattern=r"^[0-9a-f]{12}$", examples=["0123456789ab"])]


def add_keys(router: APIRouter, door: Door) -> None:
    """Adds the routes."""

    @router.get("/keys", summary="All keys, oldest first; of one tenant by option")
    async def list_keys(
        request: Request, tenant: Annotated[Name | None, Query()] = None
    ) -> list[KeyView]:
        found = await door.ask(lambda pool: store.list_keys(pool, tenant=tenant))
        return [KeyView.of(record) for record in found]

    @router.post("/keys", summary="Create a key; its secret is shown this once", status_code=201)
    async def create_key(request: Request, response: Response, body: NewKeyBody) -> KeyWithSecret:
        actor = door.actor(request)
        new = body.new()
        record, secret = await door.ask(
            lambda pool: store.make_key(pool, new, pepper=door.pepper, actor=actor)
        )
        response.headers["cache-control"] = "no-store"
        return KeyWithSecret(key=KeyView.of(record), secret=secret)

    @router.get("/keys/{key_id}", summary="One key")
    async def get_key(request: Request, key_id: KeyId) -> KeyView:
        return KeyView.of(await door.ask(lambda pool: store.get_key(pool, key_id)))

    @router.post("/keys/{key_id}/rotate", summary="A new secret; the old one ends after a grace")
    async def rotate_key(
        request: Request, response: Response, key_id: KeyId, body: Rotation
    ) -> KeyWithSecret:
        actor = door.actor(request)
        grace = timedelta(seconds=body.grace_seconds)
        record, secret = await door.ask(
            lambda pool: store.rotate_key(
                pool, key_id, grace=grace, pepper=door.pepper, actor=actor
            )
        )
        response.headers["cache-control"] = "no-store"
        return KeyWithSecret(key=KeyView.of(record), secret=secret)

    @router.post("/keys/{key_id}/revoke", summary="Worthless at every gateway within a second")
    async def revoke_key(request: Request, key_id: KeyId) -> KeyView:
        actor = door.actor(request)
        return KeyView.of(await door.ask(lambda pool: store.revoke_key(pool, key_id, actor=actor)))
