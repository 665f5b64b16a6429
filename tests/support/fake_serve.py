"""Ray Serve's REST interface and its proxy, without Ray: for hermetic tests of the local backends.

Keeps what the last PUT said, counts builds (a new application, or one whose arguments changed) and
re-applications, and serves ``/<application>/v1/completions`` for applications that run. The test
moves applications along: ``ready``, ``fail``, ``crash``, ``finish_deleting``.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from slipway_contracts.backend import ENGINE_DEPLOYMENT


@dataclass
class App:
    """One application as Serve would show it."""

    config: dict[str, Any]
    status: str = "DEPLOYING"
    message: str = ""
    engine_message: str = ""
    replicas: list[dict[str, Any]] = field(default_factory=list)
    builds: int = 1
    applied: int = 1


class FakeServe:
    """``async with FakeServe() as serve: serve.url`` is both the dashboard and the proxy."""

    def __init__(self) -> None:
        self.apps: dict[str, App] = {}
        self.puts: list[dict[str, Any]] = []
        self.answers: list[tuple[str, dict[str, Any]]] = []
        self.refuse: str | None = None
        self.broken: str | None = None
        self._ids = itertools.count(1)
        app = web.Application()
        app.router.add_get("/api/serve/applications/", self._get)
        app.router.add_put("/api/serve/applications/", self._put)
        app.router.add_post("/{app}/v1/completions", self._complete)
        self._server = TestServer(app)

    async def __aenter__(self) -> FakeServe:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        return str(self._server.make_url("")).rstrip("/")

    def ready(self, name: str) -> None:
        """The engine runs: one more replica."""
        app = self.apps[name]
        app.status, app.engine_message = "RUNNING", ""
        app.replicas.append({"replica_id": f"r{next(self._ids)}", "state": "RUNNING", "pid": 1})

    def crash(self, name: str) -> None:
        """Every replica is gone; Serve starts another."""
        app = self.apps[name]
        app.replicas = [{"replica_id": f"r{next(self._ids)}", "state": "STARTING"}]
        app.status = "UNHEALTHY"

    def fail(self, name: str, *, message: str, engine_message: str = "") -> None:
        """The application could not be deployed."""
        app = self.apps[name]
        app.status, app.message, app.engine_message = "DEPLOY_FAILED", message, engine_message
        app.replicas = []

    def finish_deleting(self) -> None:
        """What was being deleted is gone."""
        self.apps = {n: a for n, a in self.apps.items() if a.status != "DELETING"}

    async def _get(self, _request: web.Request) -> web.Response:
        shown = {name: _details(name, app) for name, app in self.apps.items()}
        return web.json_response({"applications": shown, "controller_info": {}})

    async def _put(self, request: web.Request) -> web.Response:
        if self.refuse is not None:
            return web.Response(status=400, text=self.refuse)
        body = await request.json()
        self.puts.append(body)
        wanted = {config["name"]: config for config in body["applications"]}
        for name, config in wanted.items():
            self._apply(name, config)
        for name, app in self.apps.items():
            if name not in wanted:
                app.status = "DELETING"
        return web.Response()

    def _apply(self, name: str, config: dict[str, Any]) -> None:
        app = self.apps.get(name)
        if app is None:
            self.apps[name] = App(config=config)
            return
        if app.status == "DEPLOY_FAILED" or _code(app.config) != _code(config):
            app.builds += 1
            app.replicas = []
            app.status = "DEPLOYING"
        app.applied += 1
        app.config = config

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["app"]
        app = self.apps.get(name)
        if app is None or not any(r["state"] == "RUNNING" for r in app.replicas):
            return web.Response(status=404, text="Path not found")
        if self.broken is not None:
            return web.Response(status=500, text=self.broken)
        body = await request.json()
        self.answers.append((name, body))
        if not body.get("stream"):
            return web.json_response(
                {"choices": [{"text": "x"}], "usage": {"completion_tokens": 8}}
            )
        chunk = json.dumps({"choices": [{"text": "x"}]})
        return web.Response(
            text=f"data: {chunk}\n\ndata: [DONE]\n\n", content_type="text/event-stream"
        )


def _code(config: dict[str, Any]) -> tuple[Any, Any]:
    return config["import_path"], config["args"]


def _details(name: str, app: App) -> dict[str, Any]:
    engine = {
        "name": ENGINE_DEPLOYMENT,
        "status": "HEALTHY",
        "message": app.engine_message,
        "replicas": app.replicas,
    }
    return {
        "name": name,
        "route_prefix": app.config["route_prefix"],
        "status": app.status,
        "message": app.message,
        "last_deployed_time_s": 0.0,
        "deployed_app_config": app.config,
        "deployments": {ENGINE_DEPLOYMENT: engine},
    }
