"""The local platform's backends: applications of one Ray Serve, at most a few at a time.

Implements the port ``Backends``. Serve itself holds the desired state; each write reads the whole
list, replaces this Model's part and puts it back, one at a time in this one controller. A backend
is READY when requests of our own were answered through its URL.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from slipway_contracts.backend import BackendArgs
from slipway_contracts.conditions import Reason
from slipway_operator.core.decision import DesiredBackend
from slipway_operator.core.snapshot import BackendObservation, BackendState
from slipway_operator.errors import Transient
from slipway_operator.platforms.local.applications import Seen, args_of, judge, plan
from slipway_operator.platforms.local.serve_rest import ServeApplication, ServeRest
from slipway_operator.platforms.local.warmed import Warmed
from slipway_operator.platforms.serving.warm_up import warm_up
from slipway_operator.settings import Settings

log = logging.getLogger(__name__)

WARMED_FILE = "backends.json"
# An engine that is well answers its warm-up in less; the next pass sees the others.
WARM_UP_PATIENCE_SECONDS = 3.0


class LocalBackends:
    """Ray Serve applications on this machine. ``aclose`` ends warm-ups that are under way."""

    def __init__(self, settings: Settings) -> None:
        self._serve = ServeRest(dashboard_url=settings.dashboard_url, serve_url=settings.serve_url)
        self._serve_url = settings.serve_url.rstrip("/")
        self._limit = settings.max_engines
        self._warmed = Warmed(settings.home / WARMED_FILE)
        self._warming: dict[str, asyncio.Task[None]] = {}
        self._troubles: dict[str, str] = {}
        self._refused: dict[str, dict[str, str]] = {}
        self._writing = asyncio.Lock()

    async def observe(self, model: str) -> Mapping[str, BackendObservation]:
        """Every backend of the Model that exists or has no room. Raises Transient without Ray."""
        apps = await self._serve.read()
        self._forget(apps)
        found = {}
        for app in apps:
            args = args_of(app)
            if args is not None and args.model == model:
                found[app.name] = await self._look(app, args)
        waiting = {
            name: BackendObservation(
                name=name,
                state=BackendState.NO_CAPACITY,
                reason=Reason.INSUFFICIENT_CAPACITY,
                message=message,
            )
            for name, message in self._refused.get(model, {}).items()
        }
        return waiting | found

    async def apply(self, model: str, desired: Sequence[DesiredBackend]) -> None:
        """Make the Model's applications these. Raises Transient, or Terminal if Serve refuses."""
        async with self._writing:
            apps = await self._serve.read()
            todo = plan(apps, model, desired=desired, limit=self._limit)
            self._refused[model] = dict(todo.refused)
            if todo.changed:
                await self._serve.write(todo.applications)

    async def aclose(self) -> None:
        """End the warm-ups that are under way."""
        tasks = list(self._warming.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, app: ServeApplication, args: BackendArgs) -> BackendObservation:
        seen = judge(app, self._warmed.of(app.name))
        if seen.unwarmed:
            await self._warm(app.name, args, replicas=seen.unwarmed)
            seen = judge(app, self._warmed.of(app.name))
        return self._observation(app.name, seen, args)

    async def _warm(self, name: str, args: BackendArgs, *, replicas: frozenset[str]) -> None:
        task = self._warming.get(name)
        if task is None or task.done():
            task = asyncio.create_task(self._warm_up(name, args, replicas=replicas))
            self._warming[name] = task
        await asyncio.wait([task], timeout=WARM_UP_PATIENCE_SECONDS)

    async def _warm_up(self, name: str, args: BackendArgs, *, replicas: frozenset[str]) -> None:
        warmup = args.serving.warmup
        try:
            await warm_up(self._url(name), model=args.model, warmup=warmup, replicas=len(replicas))
        except Transient as error:
            log.info("warm-up failed", extra={"backend": name, "error": str(error)})
            self._troubles[name] = str(error)
            return
        self._troubles.pop(name, None)
        self._warmed.add(name, replicas)

    def _observation(self, name: str, seen: Seen, args: BackendArgs) -> BackendObservation:
        trouble = self._troubles.get(name, "") if seen.unwarmed else ""
        return BackendObservation(
            name=name,
            state=seen.state,
            url=self._url(name),
            ready_replicas=seen.ready_replicas,
            reason=seen.reason,
            message=trouble or seen.message,
            version=args.version,
            artifact=args.artifact,
            serving=args.serving,
        )

    def _forget(self, apps: Sequence[ServeApplication]) -> None:
        names = {app.name for app in apps}
        self._warmed.keep(names)
        for name in self._troubles.keys() - names:
            del self._troubles[name]
        for name in self._warming.keys() - names:
            self._warming.pop(name).cancel()

    def _url(self, name: str) -> str:
        return f"{self._serve_url}/{name}"
