"""A ``Session`` with a cluster. What only the platform's PostgreSQL has says so when asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn

from slipway_cli.client import Session
from slipway_cli.cluster.api import open_api
from slipway_cli.cluster.events import ClusterEvents
from slipway_cli.cluster.objects import ClusterObjects
from slipway_cli.cluster.target import ClusterTarget
from slipway_cli.errors import OutOfReach
from slipway_contracts.model_version import ModelVersion
from slipway_contracts.run import Progress


@asynccontextmanager
async def connect_cluster(target: ClusterTarget) -> AsyncIterator[Session]:
    """A session with that cluster. Raises InvalidInput, NotRunning."""
    async with open_api(target) as api:
        yield Session(
            state=None,
            objects=ClusterObjects(api),
            events=ClusterEvents(api),
            progress=StatusProgress(),
            evidence=_Away("measurements and the request log"),
            keys=_Away("API keys", "/admin/keys"),
            jobs=_Away("jobs", "/admin/jobs"),
            tenants=_Away("tenants", "/admin/tenants"),
            usage=_Away("figures of usage", "/admin/usage"),
        )


class StatusProgress:
    """``ProgressReader`` that knows what the status has: the latest figures."""

    async def progress(self, version: ModelVersion) -> Sequence[Progress]:
        training = version.status.training
        if training is None or training.loss is None:
            return []
        line = Progress(at=0, step=training.step, max_steps=training.max_steps, loss=training.loss)
        return [line]


class _Away:
    """Whatever is asked of it, it is out of reach from here."""

    def __init__(self, what: str, route: str = "") -> None:
        self._what = what
        self._instead = f"use {route} of the gateway, with a key for the endpoint admin"
        if not route:
            self._instead = "give a Prometheus (--prometheus) for figures"

    def __getattr__(self, name: str) -> Any:
        async def refuse(*_arguments: object, **_options: object) -> NoReturn:
            raise OutOfReach(
                f"{self._what} are in the platform's PostgreSQL, which a cluster does not show to "
                f"the outside; {self._instead}"
            )

        return refuse
