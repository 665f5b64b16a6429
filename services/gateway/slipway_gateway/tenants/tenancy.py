"""Keys, tokens and limits of one process, put together from the settings.

The composition root makes one; ``work`` are its background tasks by name, ``leave`` its end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from slipway_gateway.settings import Settings
from slipway_gateway.tenants.keys import Keys
from slipway_gateway.tenants.leases import Leases
from slipway_gateway.tenants.limits import Limits
from slipway_gateway.tenants.rollup import Rollup
from slipway_gateway.tenants.tokens import Tokens, Trust
from slipway_store.connect import Pool


class Tenancy:
    """``pool`` gives the pool once PostgreSQL was reached."""

    def __init__(self, settings: Settings, pool: Callable[[], Pool | None]) -> None:
        trust = _trust(settings)
        pepper = settings.key_pepper
        self._tokens = None if trust is None else Tokens(trust)
        self.keys = Keys(
            keyless_loopback=settings.keyless_loopback,
            ttl=settings.keys_ttl,
            pepper="" if pepper is None else pepper.get_secret_value(),
            tokens=self._tokens,
        )
        self.limits = Limits(open_without_database=settings.limits_without_database == "open")
        self.keys.on_change.append(self._limit)
        self._leases = Leases(self.limits, pool, gateway=settings.slot)
        self._rollup = Rollup(pool)

    @property
    def work(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """The background tasks, by name."""
        tasks: dict[str, Callable[[], Awaitable[None]]] = {
            "leases": self._leases.run,
            "usage": self._rollup.run,
        }
        if self._tokens is not None:
            tasks["token keys"] = self._tokens.run
        return tasks

    async def leave(self) -> None:
        """After the last request: leased quota goes back."""
        await self._leases.leave()

    def _limit(self, keys: Keys) -> None:
        self.limits.replace(keys=keys.key_limits(), tenants=keys.tenant_limits())


def _trust(settings: Settings) -> Trust | None:
    url, issuer, audience = settings.jwt_jwks_url, settings.jwt_issuer, settings.jwt_audience
    if url is None or issuer is None or audience is None:
        return None
    return Trust(
        jwks_url=url,
        issuer=issuer,
        audience=audience,
        algorithms=tuple(settings.jwt_algorithms.split(",")),
        leeway=settings.jwt_leeway,
        refresh=settings.jwt_refresh,
        tenant_claim=settings.jwt_tenant_claim,
        scope_claim=settings.jwt_scope_claim,
    )
