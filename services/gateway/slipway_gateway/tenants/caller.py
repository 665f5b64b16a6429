"""An admitted caller and what it may reach: Models and endpoints.

Made by ``keys``; carried through the request. Knows no secret and no database.
"""

from __future__ import annotations

from dataclasses import dataclass

from slipway_gateway.errors import EndpointForbidden, Forbidden
from slipway_gateway.tenants.endpoints import endpoint_of
from slipway_store.keys import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """``identity`` tells callers apart: the key's id, the token's subject, or the address.

    ``models`` and ``endpoints`` empty: all (but ``admin``, which is only there by name).
    ``priority``: higher first. ``weight``: the tenant's share. ``text_policy`` None: the process's.
    """

    identity: str
    key_id: str = ""
    tenant: str = ""
    models: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    priority: int = 0
    weight: float = 1.0
    text_policy: str | None = None

    @property
    def keyless(self) -> bool:
        """A call from this machine without a key."""
        return self.identity.startswith("addr:")

    def may_use(self, model: str) -> bool:
        """Whether the key reaches this Model."""
        return not self.models or model in self.models

    def check(self, model: str) -> None:
        """Raises Forbidden."""
        if not self.may_use(model):
            name = "of that name" if "slw_" in model.lower() else model
            raise Forbidden(f"this key may not use the model {name}", param="model")

    def check_route(self, route: str) -> None:
        """Raises Forbidden where the key has endpoint scopes and this route's is not among them."""
        if self.endpoints:
            endpoint = endpoint_of(route)
            if endpoint is None:
                raise EndpointForbidden(f"this key has endpoint scopes, and none is for {route}")
            self.check_endpoint(endpoint)

    def check_endpoint(self, endpoint: Endpoint) -> None:
        """Raises Forbidden. ``admin`` needs its scope by name, or no key at all on this machine."""
        if endpoint is Endpoint.ADMIN:
            allowed = self.keyless or endpoint in self.endpoints
        else:
            allowed = not self.endpoints or endpoint in self.endpoints
        if not allowed:
            raise EndpointForbidden(
                f"this key is not for the endpoint {endpoint}; "
                f"make one with 'slipway keys create NAME --endpoint {endpoint}'"
            )
