"""A gateway with one fake engine and its workers, asked as S4's and OpenAI's users ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
from fake_engine import FakeEngine
from gateway_process import GatewayProcess, eventually
from worker_process import WorkerProcess

from slipway_contracts.route import BackendRoute, ModelRoute
from slipway_store.connect import Pool
from slipway_store.routes import write_route

PROCESSING = "Ваш вопрос обрабатывается. Пожалуйста, попробуйте позже."
NOT_READY = "Ответ еще не готов."


class Site:
    """A gateway with one engine, asked as S4's users ask."""

    def __init__(
        self, gateway: GatewayProcess, engine: FakeEngine, pool: Pool, folder: Path, dsn: str
    ) -> None:
        self.gateway, self.engine, self.pool = gateway, engine, pool
        self._folder, self._dsn = folder, dsn
        self.workers: list[WorkerProcess] = []

    async def publish(self, version: str = "v1") -> None:
        """The default Model, served by this version."""
        await self._publish(BackendRoute(version=version, weight=100, url=self.engine.url))

    async def publish_beside(self, url: str) -> None:
        """v1 as it is, and a candidate v2 at ``url`` that everybody is sent to."""
        await self._publish(
            BackendRoute(version="v1", weight=0, url=self.engine.url),
            BackendRoute(version="v2", weight=100, url=url, role="candidate"),
        )

    async def _publish(self, *backends: BackendRoute) -> None:
        route = ModelRoute(model="demo", salt="salt", default=True, backends=backends)
        revision = await write_route(self.pool, route)

        async def applied() -> bool:
            state = await self.gateway.state()
            return bool(state) and state["routesRevision"] >= revision

        await eventually(applied, what=f"revision {revision}")

    async def work(self, **settings: Any) -> WorkerProcess:
        given = {"gateway_url": self.gateway.url} | settings
        worker = WorkerProcess(self._dsn, self._folder, **given).spawn()
        self.workers.append(worker)
        await worker.ready()
        return worker

    async def call(
        self, method: str, path: str, body: Any = None, *, key: str = ""
    ) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.gateway.url + path, json=body, headers=headers) as answer,
        ):
            return answer.status, await answer.json()

    async def ask(self, text: str, *, key: str = "") -> tuple[int, str]:
        status, body = await self.call("POST", "/api/ask", {"question_text": text}, key=key)
        assert status == 200, body
        assert sorted(body) == ["answer_text", "question_id"]
        return body["question_id"], body["answer_text"]

    async def answer(self, question: object, *, key: str = "") -> str:
        status, body = await self.call("GET", f"/api/answer/{question}", key=key)
        assert status == 200, body
        assert list(body) == ["answer_text"]
        return body["answer_text"]

    async def answered(self, question: int, *, key: str = "") -> str:
        async def done() -> str | None:
            text = await self.answer(question, key=key)
            return None if text == NOT_READY else text

        return await eventually(done, what=f"the answer to {question}")
