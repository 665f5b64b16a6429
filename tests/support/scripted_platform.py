"""A platform that plays its part of the demo from a script, in seconds and without engines.

Real PostgreSQL, real HTTP: two "gateways" in one aiohttp server that split by the stored route and
log what they answered, and an "operator" that walks each version through the phases of the story.
It judges nothing; the tests bend it to see whether the demo's own judgement notices.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import web

from slipway_contracts.attempt import Attempt
from slipway_contracts.conditions import Phase
from slipway_contracts.names import HEADER_CONVERSATION, HEADER_REQUEST_ID, HEADER_VERSION
from slipway_contracts.route import BackendRoute, Heartbeat, ModelRoute
from slipway_gateway.control.route import Route
from slipway_store.attempts import ship
from slipway_store.connect import open_pool
from slipway_store.objects import ObjectStore
from slipway_store.routes import heartbeat, write_route

CONTEXT = {"v3": 300}  # characters


def now():
    return datetime.now(UTC)


def _condition(kind, status, reason, message=""):
    return {
        "type": kind, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": now().isoformat(),
    }  # fmt: skip


DONE = [
    _condition("TrainingComplete", "True", "TrainingSucceeded", "trained"),
    _condition("EvaluationPassed", "True", "EvaluationPassed", "passed"),
]
GATE = {"metric": "heldout.perplexity", "passed": True, "value": 300, "baseline": 310, "samples": 9}


@dataclass
class Bent:
    """What the platform does wrong on purpose."""

    lose_rows_of: str = ""
    forget_sticky: bool = False
    restart_on_promotion: bool = False
    v2_fails: bool = False


@dataclass
class ScriptedPlatform:
    """``async with``; then ``url`` is gateway and dashboard in one."""

    dsn: str
    bent: Bent = field(default_factory=Bent)
    step_answers: int = 20
    url: str = ""

    async def __aenter__(self):
        self._pool = await open_pool(self.dsn)
        self._objects = ObjectStore(self._pool)
        self._weights = {}
        self._shadow = None
        self._revision = 0
        self._apps = {}
        self._rows = 0
        self._answered = Counter()
        self._seen = set()
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._answer)
        app.router.add_post("/v1/completions", self._answer)
        app.router.add_get("/api/serve/applications/", self._applications)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._tasks = [asyncio.create_task(t) for t in (self._beat(), self._operate())]
        return self

    async def __aexit__(self, *exc):
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._runner.cleanup()
        await self._pool.close()
        faults = [r for r in results if isinstance(r, Exception)]
        if faults:
            raise faults[0]

    # -- the gateways

    def _version(self, unit):
        route = ModelRoute(
            model="jargon", salt=unit if self.bent.forget_sticky else "salt",
            backends=tuple(BackendRoute(version=v, weight=w, url="x") for v, w in self._weights),
        )  # fmt: skip
        key = f"{unit}{self._rows}" if self.bent.forget_sticky else unit
        return Route(route).version_for(key).version

    async def _answer(self, request):
        body = await request.json()
        if not self._weights:
            return web.json_response({"error": {"message": "nothing serves"}}, status=503)
        version = self._version(request.headers.get(HEADER_CONVERSATION, "none"))
        started = now()
        chat = "messages" in body
        prompt = body["messages"][0]["content"] if chat else body["prompt"]
        refused = len(prompt) > CONTEXT.get(version, 10_000)
        await asyncio.sleep(0.01)
        headers = {
            HEADER_VERSION: version,
            HEADER_REQUEST_ID: request.headers.get(HEADER_REQUEST_ID, "first"),
        }
        status = 400 if refused else 200
        if version == self.bent.lose_rows_of:
            self._answered[version] += 1
        else:
            await self._log(headers[HEADER_REQUEST_ID], version, started, status)
            if self._shadow:
                await self._log(headers[HEADER_REQUEST_ID], self._shadow, started, 200, shadow=True)
        if refused:
            error = {"error": {"message": "This model's maximum context length is 128 tokens."}}
            return web.json_response(error, status=400, headers=headers)
        message = {"message": {"content": "a word"}} if chat else {"text": "a word"}
        if not body.get("stream"):
            return web.json_response({"choices": [message]}, headers=headers)
        piece = {"delta": {"content": "a word"}} if chat else {"text": "a word"}
        events = f"data: {json.dumps({'choices': [piece]})}\n\ndata: [DONE]\n\n"
        return web.Response(text=events, content_type="text/event-stream", headers=headers)

    async def _log(self, request_id, version, started, status, *, shadow=False):
        self._rows += 1
        self._answered["copies" if shadow else version] += 1
        row = Attempt(
            request_id=request_id, attempt=1, timestamp=now(), started_at=started,
            gateway="gateway-0", route="/v1", model_name="jargon", version=version,
            routes_revision=self._revision, unit_hash="u", status=status, shadow=shadow,
            refused=status == 400, processing_time_ms=1.0,
        )  # fmt: skip
        await ship(
            self._pool, gateway="gateway-0", segment=f"s{self._rows}", offset=1, attempts=[row]
        )

    async def _beat(self):
        while True:
            await self._confirm()
            await asyncio.sleep(0.3)

    async def _confirm(self):
        for gateway in ("gateway-0", "gateway-1"):
            beat = Heartbeat(gateway=gateway, revision=self._revision, watermark=now(), at=now())
            await heartbeat(self._pool, beat)

    async def _applications(self, _):
        applications = {
            name: {"deployments": {"LLM": {"replicas": [
                {"replica_id": replica, "pid": 7, "state": "RUNNING"}]}}}
            for name, replica in self._apps.items()
        }  # fmt: skip
        return web.json_response({"applications": applications})

    # -- the operator

    async def _route(self, *weights, stable):
        self._weights = list(weights)
        backends = [
            BackendRoute(
                version=version, weight=weight, url="http://x",
                role="stable" if version == stable else
                "candidate" if version > stable else "previous",
            )
            for version, weight in weights
        ]  # fmt: skip
        route = ModelRoute(model="jargon", salt="salt", backends=tuple(backends))
        self._revision = await write_route(self._pool, route)
        await self._confirm()

    async def _until(self, who, more):
        """So many more answers by ``who``, and a turn of the demo's watcher."""
        enough = self._answered[who] + more
        while self._answered[who] < enough:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)

    async def _status(self, name, phase, **status):
        current = await self._objects.get("ModelVersion", name)
        await self._objects.update_status(
            "ModelVersion", name,
            {**current["status"], "phase": phase.value, "backend": f"{name}-b", **status},
            resource_version=current["metadata"]["resourceVersion"],
        )  # fmt: skip
        await asyncio.sleep(0.3)

    async def _stable(self, name):
        model = await self._objects.get("Model", "jargon")
        await self._objects.update_status(
            "Model", "jargon", {"stable": name},
            resource_version=model["metadata"]["resourceVersion"],
        )  # fmt: skip

    async def _operate(self):
        async with asyncio.TaskGroup() as group:
            while True:
                for body in await self._objects.list("ModelVersion"):
                    name = body["metadata"]["name"]
                    if name not in self._seen:
                        self._seen.add(name)
                        group.create_task(getattr(self, f"_play_{name}")())
                await asyncio.sleep(0.1)

    async def _play_v1(self):
        training = {"run": "r", "step": 200, "maxSteps": 200, "loss": 5.1}
        await self._status("v1", Phase.TRAINING, training=training)
        self._apps["v1-b"] = "one"
        await self._status("v1", Phase.DEPLOYING, conditions=DONE)
        await self._route(("v1", 100), stable="v1")
        await self._stable("v1")
        await self._status("v1", Phase.SERVING, rollout={"first": True})

    async def _play_v2(self):
        await self._status("v2", Phase.TRAINING)
        if self.bent.v2_fails:
            failed = _condition("TrainingComplete", "False", "TrainingFailed", "exit code 1")
            await self._status("v2", Phase.FAILED, conditions=[failed])
            return
        gates = {"baseline": "v1", "passed": 1, "total": 1, "gates": [GATE]}
        self._apps["v2-b"] = "one"
        await self._status("v2", Phase.SHADOWING, conditions=DONE, evaluation=gates)
        self._shadow = "v2"
        await self._until("copies", 5)
        self._shadow = None
        for weight in (10, 50):
            await self._route(("v2", weight), ("v1", 100 - weight), stable="v1")
            await self._status("v2", Phase.CANARY)
            await self._until("v2", self.step_answers)
        await self._route(("v2", 95), ("v1", 5), stable="v2")
        if self.bent.restart_on_promotion:
            self._apps["v2-b"] = "two"
            await asyncio.sleep(3.5)  # a whole turn of the watcher
        await self._until("v2", self.step_answers)
        await self._route(("v2", 100), stable="v2")
        await self._stable("v2")
        await self._status("v1", Phase.SUPERSEDED)
        rollout = {"decidedBy": "Promoted", "message": "250 of 250 good"}
        await self._status("v2", Phase.SERVING, rollout=rollout)

    async def _play_v3(self):
        gates = {"baseline": "v2", "passed": 1, "total": 1, "gates": [GATE]}
        await self._status("v3", Phase.DEPLOYING, conditions=DONE, evaluation=gates)
        await self._route(("v3", 10), ("v2", 90), stable="v2")
        await self._status("v3", Phase.CANARY)
        await self._until("v3", self.step_answers)
        decided = now()
        await self._route(("v2", 100), stable="v2")
        rollout = {
            "decidedBy": "AnalysisFailed", "decidedAt": decided.isoformat(),
            "message": "refused: 5 of 18 against 0 of 160",
        }  # fmt: skip
        await self._status("v3", Phase.ROLLED_BACK, rollout=rollout)

    async def _play_v4(self):
        failed = {**GATE, "passed": False, "value": 3900}
        gates = {"baseline": "v1", "passed": 0, "total": 1, "gates": [failed]}
        refused = _condition("EvaluationPassed", "False", "GateFailed", "perplexity 3900 > 1000")
        await self._status("v4", Phase.REJECTED, conditions=[DONE[0], refused], evaluation=gates)
