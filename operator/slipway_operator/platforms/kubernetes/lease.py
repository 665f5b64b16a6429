"""One leader among the replicas: a coordination.k8s.io Lease, renewed while the leader lives.

A leader that cannot renew for 10 s gives up before 15 s have passed, after which another may take
over; each waits on its own clock, so clocks need not agree. Every write is guarded by the resource
version that was read. What a leader does is not known here.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from slipway_operator.errors import Conflict, LeaseLost, Transient
from slipway_operator.platforms.kubernetes.api import Api
from slipway_operator.platforms.kubernetes.kinds import LEASES, Body, resource_version

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Seconds. ``renew`` must be below ``duration``, or two could lead at once."""

    duration: float = 15.0
    renew: float = 10.0
    retry: float = 2.0


class Lease:
    """``acquire``, then ``hold`` for as long as it leads, then ``release``."""

    def __init__(self, api: Api, *, name: str, identity: str, terms: Terms = Terms()) -> None:
        self._api = api
        self._name = name
        self._identity = identity
        self._terms = terms
        self._seen: Body | None = None
        self._seen_at = 0.0
        self._renewed_at: float | None = None

    @property
    def leads(self) -> bool:
        """Whether nobody else can lead now: asked before every pass, for a process may be frozen
        and wake up long after its lease went to another.
        """
        if self._renewed_at is None:
            return False
        return _now() < self._renewed_at + self._terms.renew

    async def acquire(self) -> None:
        """Until this process leads."""
        while not self.leads:
            try:
                async with asyncio.timeout(self._terms.renew):
                    await self._try_acquire()
            except (Transient, TimeoutError) as error:
                log.info("lease: not acquired, trying again", extra={"error": str(error)})
            if not self.leads:
                await asyncio.sleep(self._wait())

    async def hold(self) -> None:
        """Renew until cancelled. LeaseLost: stop whatever a leader does, at once."""
        while True:
            await asyncio.sleep(self._terms.retry)
            assert self._renewed_at is not None
            try:
                async with asyncio.timeout_at(self._renewed_at + self._terms.renew):
                    await self._renew()
            except Transient as error:
                log.warning("lease: not renewed", extra={"error": str(error)})
            except TimeoutError:
                self._renewed_at = None
                raise LeaseLost(f"the API server took no renewal of lease {self._name}") from None

    async def release(self) -> None:
        """Let another lead at once. What fails here only costs it the wait."""
        if self._renewed_at is None or self._seen is None:
            return
        self._renewed_at = None
        try:
            await self._write(self._spec("", duration=1))
        except Transient as error:
            log.info("lease: not released", extra={"error": str(error)})

    async def _try_acquire(self) -> None:
        started = _now()
        found = await self._api.get(LEASES, self._name)
        if found is None:
            body = {"metadata": {"name": self._name}, "spec": self._spec(self._identity)}
            self._keep(await self._api.create(LEASES, body))
        elif self._is_free(found):
            await self._write(self._spec(self._identity))
        else:
            return
        self._renewed_at = started
        log.info("lease: this replica leads")

    def _is_free(self, found: Body) -> bool:
        """Released, ours from before a restart, or not renewed for as long as it said it would."""
        if self._seen is None or resource_version(found) != resource_version(self._seen):
            self._keep(found)
        holder = found["spec"].get("holderIdentity")
        return not holder or holder == self._identity or _now() >= self._expiry()

    def _expiry(self) -> float:
        assert self._seen is not None
        spec = self._seen.get("spec") or {}
        return self._seen_at + float(spec.get("leaseDurationSeconds") or self._terms.duration)

    def _wait(self) -> float:
        """Until the next look: sooner when the other's lease ends sooner."""
        left = self._expiry() - _now() if self._seen is not None else self._terms.retry
        return min(self._terms.retry, max(left, 0.05))

    async def _renew(self) -> None:
        started = _now()
        try:
            await self._write(self._spec(self._identity))
        except Conflict:
            # Our own write whose answer was lost, or another leader.
            found = await self._api.get(LEASES, self._name)
            holder = found["spec"].get("holderIdentity") if found is not None else None
            if found is None or holder != self._identity:
                self._renewed_at = None
                raise LeaseLost(f"lease {self._name} is held by {holder or 'nobody'}") from None
            self._keep(found)
            raise
        self._renewed_at = started

    async def _write(self, spec: dict[str, Any]) -> None:
        assert self._seen is not None
        metadata = {"name": self._name, "resourceVersion": resource_version(self._seen)}
        body = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": metadata,
            "spec": spec,
        }
        self._keep(await self._api.replace(LEASES, body))

    def _spec(self, holder: str, *, duration: float | None = None) -> dict[str, Any]:
        before: dict[str, Any] = (self._seen or {}).get("spec") or {}
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        moved = before.get("holderIdentity") != holder
        changes = int(before.get("leaseTransitions") or 0)
        return {
            "holderIdentity": holder,
            "leaseDurationSeconds": max(1, round(duration or self._terms.duration)),
            "acquireTime": at if moved else before.get("acquireTime", at),
            "renewTime": at,
            "leaseTransitions": changes + 1 if moved and holder else changes,
        }

    def _keep(self, body: Body) -> None:
        self._seen, self._seen_at = body, _now()


def _now() -> float:
    return asyncio.get_running_loop().time()
