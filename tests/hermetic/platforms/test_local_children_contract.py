"""Local runs and backends keep the ports' promises, with processes and a scripted Serve."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from children_contract import BackendsContract, RunsContract
from fake_serve import FakeServe

from slipway_operator.platforms.local import launcher
from slipway_operator.platforms.local.backends import LocalBackends
from slipway_operator.platforms.local.runs import LocalRuns, RunSettings, stop_all
from slipway_operator.settings import Settings

SCRIPT = Path(__file__).parents[2] / "support" / "scripted_run.py"


class LocalRunsWorld:
    def __init__(self, home: Path) -> None:
        self.home = home
        self._play()
        self.runs = LocalRuns(
            settings=RunSettings(home=home),
            command=lambda spec, work: [sys.executable, str(SCRIPT), str(work)],
        )

    async def started(self, name: str, times: int) -> None:
        async with asyncio.timeout(60):
            while await self.starts(name) < times:
                await asyncio.sleep(0.02)

    async def starts(self, name: str) -> int:
        path = self.home / "runs" / "tiny" / name / "starts"
        return len(path.read_text().split()) if path.exists() else 0

    async def end(self, name: str, *, code: int, result: Mapping[str, Any] | None = None) -> None:
        self._play(exit=code, **({} if result is None else {"result": dict(result)}))
        (self.home / "go").touch()

    async def vanish(self, name: str) -> None:
        process = self.home / "runs" / "tiny" / name / launcher.PROCESS_FILE
        os.killpg(json.loads(process.read_text())["pgid"], signal.SIGKILL)

    def _play(self, **script: Any) -> None:
        always = {"wait_for": str(self.home / "go"), "checkpoint_on_term": True}
        draft = self.home / "draft"
        draft.write_text(json.dumps(always | script))
        draft.replace(self.home / "script.json")


class TestLocalRuns(RunsContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[LocalRunsWorld]:
        yield LocalRunsWorld(tmp_path)
        stop_all(tmp_path, grace=5)


class LocalBackendsWorld:
    def __init__(self, serve: FakeServe, home: Path) -> None:
        self._serve = serve
        self._home = home
        self._adapters: list[LocalBackends] = []
        self.backends = self.again()

    @property
    def broken(self) -> str | None:
        return self._serve.broken

    @broken.setter
    def broken(self, text: str | None) -> None:
        self._serve.broken = text

    @property
    def answers(self) -> list[dict[str, Any]]:
        return [body for _, body in self._serve.answers]

    def again(self) -> LocalBackends:
        settings = Settings(
            dsn="postgresql://unused",
            home=self._home,
            serve_url=self._serve.url,
            dashboard_url=self._serve.url,
        )
        self._adapters.append(LocalBackends(settings))
        return self._adapters[-1]

    async def ready(self, name: str, replicas: int = 1) -> None:
        states = [replica["state"] for replica in self._serve.apps[name].replicas]
        for _ in range(replicas - states.count("RUNNING")):
            self._serve.ready(name)

    async def fail(self, name: str, message: str) -> None:
        self._serve.fail(name, message=message)

    async def crash(self, name: str) -> None:
        self._serve.crash(name)

    async def aclose(self) -> None:
        for adapter in self._adapters:
            await adapter.aclose()


class TestLocalBackends(BackendsContract):
    @pytest.fixture
    async def world(self, tmp_path: Path) -> AsyncIterator[LocalBackendsWorld]:
        async with FakeServe() as serve:
            world = LocalBackendsWorld(serve, tmp_path)
            yield world
            await world.aclose()
