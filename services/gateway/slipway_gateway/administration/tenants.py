"""``/admin/tenants``: create, read, change, delete."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from slipway_gateway.administration.bodies import Name, NewTenant, TenantBody, TenantView
from slipway_gateway.administration.door import Door
from slipway_store import tenants as store


def add_tenants(router: APIRouter, door: Door) -> None:
    """Adds the routes."""

    @router.get("/tenants", summary="All tenants, by name")
    async def list_tenants(request: Request) -> list[TenantView]:
        return [TenantView.of(tenant) for tenant in await door.ask(store.list_tenants)]

    @router.post("/tenants", summary="Create a tenant", status_code=201)
    async def create_tenant(request: Request, body: NewTenant) -> TenantView:
        actor = door.actor(request)
        return TenantView.of(
            await door.ask(
                lambda pool: store.create_tenant(pool, body.name, body.settings(), actor=actor)
            )
        )

    @router.get("/tenants/{name}", summary="One tenant")
    async def get_tenant(request: Request, name: Name) -> TenantView:
        return TenantView.of(await door.ask(lambda pool: store.get_tenant(pool, name)))

    @router.put("/tenants/{name}", summary="Replace a tenant's settings")
    async def change_tenant(request: Request, name: Name, body: TenantBody) -> TenantView:
        actor = door.actor(request)
        return TenantView.of(
            await door.ask(
                lambda pool: store.change_tenant(pool, name, body.settings(), actor=actor)
            )
        )

    @router.delete("/tenants/{name}", summary="Delete a tenant without living keys")
    async def delete_tenant(request: Request, name: Name) -> Response:
        actor = door.actor(request)
        await door.ask(lambda pool: store.delete_tenant(pool, name, actor=actor))
        return Response(status_code=204)
