"""Ray Serve's REST interface on the dashboard, as typed values.

One PUT carries the whole list of applications: what is missing from it is deleted, what is in it
unchanged is left running. Nothing here decides; a dashboard that is away is ``Transient``.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from pydantic import BaseModel, ConfigDict, ValidationError

from slipway_contracts.conditions import Reason
from slipway_operator.errors import Terminal, Transient

PATH = "/api/serve/applications/"
# The first PUT starts Serve's own controller and proxy.
TIMEOUT = aiohttp.ClientTimeout(total=90, connect=5)
# Longer than clients keep theirs (aiohttp: 15 s), or a reused connection ends in a reset.
KEEP_ALIVE_SECONDS = 75


class ServeStatus(StrEnum):
    """Serve's own application statuses."""

    NOT_STARTED = "NOT_STARTED"
    DEPLOYING = "DEPLOYING"
    RUNNING = "RUNNING"
    DEPLOY_FAILED = "DEPLOY_FAILED"
    UNHEALTHY = "UNHEALTHY"
    DELETING = "DELETING"


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ServeReplica(_Lenient):
    """One replica; ``state`` RUNNING means that its constructor has returned."""

    replica_id: str
    state: str


class ServeDeployment(_Lenient):
    """One deployment of an application, with the text of its last failure."""

    status: str = ""
    message: str = ""
    replicas: tuple[ServeReplica, ...] = ()


class ServeApplication(_Lenient):
    """One application. ``deployed_app_config`` is what the last PUT said of it."""

    name: str
    status: ServeStatus
    message: str = ""
    deployed_app_config: dict[str, Any] | None = None
    deployments: dict[str, ServeDeployment] = {}


class _Details(_Lenient):
    applications: dict[str, ServeApplication] = {}


class ServeRest:
    """Read and write all applications. ``serve_url`` is where Serve's proxy should listen."""

    def __init__(self, *, dashboard_url: str, serve_url: str) -> None:
        self._url = dashboard_url.rstrip("/") + PATH
        parts = urlsplit(serve_url)
        self._http = {
            "host": parts.hostname or "127.0.0.1",
            "port": parts.port or 8000,
            "keep_alive_timeout_s": KEEP_ALIVE_SECONDS,
        }

    async def read(self) -> tuple[ServeApplication, ...]:
        """Every application that Serve knows. Raises Transient."""
        try:
            details = _Details.model_validate_json(await self._call("GET", None))
        except ValidationError as error:
            raise Transient(f"Ray Serve's answer is not understood: {error}") from error
        return tuple(details.applications.values())

    async def write(self, applications: Sequence[dict[str, Any]]) -> None:
        """Make these the whole list. Raises Transient, or Terminal when Serve refuses them."""
        body = {
            "proxy_location": "HeadOnly",
            "http_options": self._http,
            # A line for each request, on a machine where the engine needs the core.
            "logging_config": {"enable_access_log": False},
            "applications": list(applications),
        }
        await self._call("PUT", body)

    async def _call(self, method: str, body: dict[str, Any] | None) -> bytes:
        try:
            async with (
                aiohttp.ClientSession(timeout=TIMEOUT) as session,
                session.request(method, self._url, json=body) as response,
            ):
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            said = f"Ray's dashboard at {self._url} does not answer ({error!r}); is Ray running?"
            raise Transient(said) from error
        if response.status == 400:
            said = f"Ray Serve refused the applications: {answer[:2000].decode(errors='replace')}"
            raise Terminal(said, reason=Reason.INVALID)
        if response.status != 200:
            raise Transient(f"Ray's dashboard answered {response.status} to {method} {self._url}")
        return answer
