"""A whole site with a real Prometheus: gateway, operator, worker; only engines and runs are acted.

The operator is the product's process on the local platform. Its Ray Serve is ``FakeServe`` with
engines behind it that are ready at once; its runs are a package named ``slipway_training`` that
stands before the real one and plays a short training. Prometheus scrapes every second and loads
the rules that ship.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml
from aiohttp import web
from answer_site import Site
from fake_engine import FakeEngine
from fake_serve import FakeServe
from free_ports import free_port
from gateway_process import GatewayProcess, eventually

from slipway_store.connect import Pool, open_pool
from slipway_store.objects import ObjectStore

RULES = Path(__file__).parents[2] / "charts/slipway/files/rules"
PLAYED = Path(__file__).parent / "played_training.py"
MODEL = "demo"
SUITE = {"name": "heldout", "kind": "heldout"}
MODEL_SPEC: dict[str, Any] = {
    "task": "text-generation",
    "default": True,
    "serving": {"drainSeconds": 0, "warmup": {"requests": 1}},
    "evaluation": {"suites": [SUITE], "gates": [{"metric": "heldout.loss", "max": 5}]},
    "rollout": {"steps": [{"weight": 50, "minDuration": "0s"}], "postPromotionWatch": "1s"},
}
TRAINING = {"data": {"sources": ["bundled:jargon"]}, "maxSteps": 10}


class ReadyServe(FakeServe):
    """Every application runs as soon as it is written, and answers as the fake engine does.

    Those of the versions in ``failing`` answer 500.
    """

    def __init__(self, engine: FakeEngine) -> None:
        super().__init__()
        self._engine = engine
        self.failing: set[str] = set()
        self._server.app.router.add_post("/{app}/v1/chat/completions", self._chatted)

    def _apply(self, name: str, config: dict[str, Any]) -> None:
        known = name in self.apps
        super()._apply(name, config)
        if not known:
            self.ready(name)

    async def _chatted(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["app"].rsplit("-", 1)[0] in self.failing:
            return web.json_response({"error": "it broke"}, status=500)
        return await self._engine._chat(request)


class ObservedSite:
    """``async with ObservedSite(dsn, folder, prometheus=PATH) as site``."""

    def __init__(self, dsn: str, folder: Path, *, prometheus: Path) -> None:
        self._dsn, self._folder, self._binary = dsn, folder, prometheus
        self._stack = AsyncExitStack()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.pool: Pool
        self.site: Site
        self.serve: ReadyServe

    async def __aenter__(self) -> Self:
        stack = self._stack
        self.pool = await open_pool(self._dsn, max_size=4)
        stack.callback(self.pool.terminate)
        engine = await stack.enter_async_context(FakeEngine())
        serve = self.serve = await stack.enter_async_context(ReadyServe(engine))
        gateway = GatewayProcess(self._dsn, self._folder).spawn()
        stack.push_async_callback(gateway.kill)
        await gateway.ready()
        self.site = Site(gateway, engine, self.pool, self._folder, self._dsn)
        worker = await self.site.work()
        stack.push_async_callback(worker.kill)
        health = self._operate(serve.url)
        jobs = {"gateway": gateway.port, "worker": worker.port, "operator": health}
        self._scrape({f"slipway-{name}": port for name, port in jobs.items()})
        await eventually(self.has_started, what="Prometheus up")
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    def _process(self, argv: list[str | Path], name: str, **more: str) -> None:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SLIPWAY_", "OTEL_"))}
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(argv, env=env | more, stdout=log, stderr=log)
        self._stack.callback(_end, process)

    def _operate(self, serve_url: str) -> int:
        """Start the operator; the port of its page."""
        home = self._folder / "home"
        home.mkdir()
        port = free_port()
        played = self._folder / "played" / "slipway_training"
        played.mkdir(parents=True)
        (played / "__init__.py").touch()
        (played / "__main__.py").write_text(PLAYED.read_text("utf-8"))
        settings = {
            "DSN": self._dsn,
            "HOME": str(home),
            "SERVE_URL": serve_url,
            "DASHBOARD_URL": serve_url,
            "HEALTH_PORT": str(port),
        }
        environ = {f"SLIPWAY_OPERATOR_{name}": value for name, value in settings.items()}
        environ["PYTHONPATH"] = str(played.parent)
        self._process([sys.executable, "-m", "slipway_operator"], "operator", **environ)
        return port

    def _scrape(self, jobs: dict[str, int]) -> None:
        targets = [
            {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
            for job, port in jobs.items()
        ]
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES / "*.yaml")],
            "scrape_configs": targets,
        }
        file = self._folder / "prometheus.yaml"
        file.write_text(yaml.safe_dump(config))
        argv = [
            self._binary,
            f"--config.file={file}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=warn",
        ]
        self._process(argv, "prometheus")

    def has_started(self) -> bool:
        """Whether every target has been scraped."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/targets", timeout=10) as answer:
                active = json.load(answer)["data"]["activeTargets"]
        except OSError:
            return False
        return len(active) == 3 and all(target["health"] == "up" for target in active)

    async def create(self, version: str) -> None:
        """A version of the Model, trained by a played run."""
        spec = {"model": MODEL, "source": {"training": TRAINING}}
        await ObjectStore(self.pool).create("ModelVersion", version, spec)

    async def create_model(self) -> None:
        """The Model that all versions are of."""
        await ObjectStore(self.pool).create("Model", MODEL, MODEL_SPEC)

    async def phase(self, version: str) -> str:
        """Where it stands; why it cannot go on is in the operator's log."""
        found = await ObjectStore(self.pool).get("ModelVersion", version)
        return str((found.get("status") or {}).get("phase", ""))

    async def until(self, version: str, phase: str) -> None:
        """Wait for a phase."""

        async def is_there() -> bool:
            return await self.phase(version) == phase

        await eventually(is_there, what=f"{version} {phase}")

    async def talk(self, session: aiohttp.ClientSession, text: str) -> int:
        """One streamed chat; its status."""
        body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": text}]}
        url = self.site.gateway.url + "/v1/chat/completions"
        async with session.post(url, json=body, headers={"x-slipway-unit": text}) as answer:
            await answer.read()
            return answer.status

    async def chatter(self) -> None:
        """Talk until cancelled, about fifty times a second."""
        async with aiohttp.ClientSession() as session:
            for number in range(1_000_000):
                await self.talk(session, f"hello {number}")
                await asyncio.sleep(0.02)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
