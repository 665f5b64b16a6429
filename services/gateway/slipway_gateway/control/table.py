"""The routes that this process applies: swapped whole, so a request sees one state of the world.

Knows no database and no disk; ``dump`` and ``restore`` are for the copy.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from slipway_contracts.model import Task
from slipway_contracts.route import ModelRoute
from slipway_gateway.control.route import Route

logger = logging.getLogger(__name__)


class RouteTable:
    """By public name. ``on_change`` runs after each swap. ``loaded``: routes were heard at all."""

    def __init__(self) -> None:
        self._given: dict[str, ModelRoute] = {}
        self._routes: dict[str, Route] = {}
        self._defaults: dict[Task, Route] = {}
        self.revision = 0
        self.loaded = False
        self.on_change: list[Callable[[RouteTable], None]] = []

    def get(self, model: str) -> Route | None:
        """The route of a public name."""
        return self._routes.get(model)

    def default(self, task: Task) -> Route | None:
        """The Model that answers the legacy routes of a task: the one marked so, or the only."""
        return self._defaults.get(task)

    def all(self) -> list[ModelRoute]:
        """Every route as the operator wrote it, by name."""
        return sorted(self._given.values(), key=lambda route: route.model)

    def apply(self, routes: Iterable[ModelRoute]) -> bool:
        """Swap in a whole new set; False when nothing differs."""
        fresh = {route.model: route for route in routes}
        changed = fresh != self._given or not self.loaded
        self._given = fresh
        self._routes = {model: Route(route) for model, route in fresh.items()}
        marked = _defaults(fresh.values())
        self._defaults = {task: self._routes[route.model] for task, route in marked.items()}
        self.revision = max([self.revision, *(route.revision for route in fresh.values())])
        self.loaded = True
        if changed:
            for observe in self.on_change:
                observe(self)
        return changed

    def dump(self) -> list[dict[str, Any]]:
        """For the copy."""
        return [route.model_dump(mode="json", by_alias=True) for route in self.all()]

    def restore(self, copy: Any) -> bool:
        """Apply a copy; False (and a line in the log) when it is not one."""
        try:
            self.apply([ModelRoute.model_validate(item) for item in copy])
        except (TypeError, ValueError) as error:
            logger.error("the copy of the routes cannot be used: %s", error)
            return False
        return True


def _defaults(routes: Iterable[ModelRoute]) -> dict[Task, ModelRoute]:
    by_task: dict[Task, list[ModelRoute]] = {}
    for route in routes:
        by_task.setdefault(route.task, []).append(route)
    chosen = {}
    for task, of_task in by_task.items():
        marked = [route for route in of_task if route.default]
        if marked or len(of_task) == 1:
            chosen[task] = (marked or of_task)[0]
    return chosen
