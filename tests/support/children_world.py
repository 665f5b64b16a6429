"""Runs and backends on a real API server whose controllers are played by the test.

``KubernetesRunsWorld`` plays the Job controller, the kubelet and the training;
``KubernetesBackendsWorld`` plays KubeRay and the engine's HTTP port. Both are worlds of
``children_contract``.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from children_contract import MODEL
from kubernetes_world import KubernetesWorld

from slipway_operator.platforms.kubernetes.backends import KubernetesBackends
from slipway_operator.platforms.kubernetes.build_backend import LABEL_BACKEND
from slipway_operator.platforms.kubernetes.build_run import CONTAINER
from slipway_operator.platforms.kubernetes.kinds import (
    CONFIG_MAPS,
    JOBS,
    MODEL_VERSIONS,
    PODS,
    RAY_SERVICES,
    Body,
)
from slipway_operator.platforms.kubernetes.runs import KubernetesRuns
from slipway_operator.platforms.kubernetes.settings import Images, PlatformConfig

CONFIG = PlatformConfig(
    images=Images(engine="docker.io/slipway/engine:dev", training="docker.io/slipway/training:dev")
)
ENGINE = "slipway:engine"


def timestamp(ago: float = 0) -> str:
    return (datetime.now(UTC) - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(kind: str, status: str = "True", **more: str) -> dict[str, str]:
    return {"type": kind, "status": status, "lastTransitionTime": timestamp(), **more}


def scheduled(ago: float = 0) -> dict[str, str]:
    return condition("PodScheduled") | {"lastTransitionTime": timestamp(ago)}


def terminated(code: int, *, message: str = "", reason: str = "") -> Body:
    why = reason or ("Completed" if code == 0 else "Error")
    return {"terminated": {"exitCode": code, "message": message, "reason": why}}


def waiting(reason: str, message: str = "") -> Body:
    return {"waiting": {"reason": reason, "message": message}}


def container_status(
    name: str, state: Body, *, restarts: int = 0, last: Body | None = None
) -> Body:
    return {
        "name": name,
        "image": "docker.io/slipway/x:dev",
        "imageID": "",
        "ready": "running" in state,
        "restartCount": restarts,
        "state": state,
        "lastState": last or {},
    }


def kept(sent: Any, found: Any, path: str = "") -> list[str]:
    """What was sent and is not found again."""
    if isinstance(sent, dict) and isinstance(found, dict):
        return [line for k, v in sent.items() for line in kept(v, found.get(k), f"{path}.{k}")]
    if isinstance(sent, list) and isinstance(found, list) and len(sent) == len(found):
        return [
            line
            for n, (a, b) in enumerate(zip(sent, found, strict=True))
            for line in kept(a, b, f"{path}[{n}]")
        ]
    # What is false or empty may be left out.
    return [] if sent == found or (not sent and found is None) else [path]


class KubernetesRunsWorld:
    """``jobs``: uids of every Job that was ever seen, by name."""

    def __init__(self, world: KubernetesWorld, *, config: PlatformConfig = CONFIG) -> None:
        self.world = world
        self.config = config
        self.jobs: dict[str, list[str]] = {}
        self._pods = itertools.count(1)
        world.cache.listen(self._count)
        self.runs = self.again()

    def again(self) -> KubernetesRuns:
        return KubernetesRuns(self.world.api, self.world.cache, self.config)

    async def prepare(self, version: str = "v1") -> None:
        """A version that the runs belong to."""
        spec = {"model": MODEL, "source": {"random": {}}}
        made = self.world.person.create(
            MODEL_VERSIONS, {"metadata": {"name": version}, "spec": spec}
        )
        await self.world.seen(MODEL_VERSIONS, made)

    async def started(self, name: str, times: int) -> None:
        await self.world.until(lambda: len(self.jobs.get(name, ())) >= times)

    async def starts(self, name: str) -> int:
        return len(self.jobs.get(name, ()))

    async def vanish(self, name: str) -> None:
        self.world.person.delete(JOBS, name)
        await self.world.until(lambda: self.world.cache.get(JOBS, name) is None)

    async def end(self, name: str, *, code: int, result: Mapping[str, Any] | None = None) -> None:
        message = "done" if result is None else json.dumps(dict(result))
        await self.pod(
            name, "Succeeded" if code == 0 else "Failed", terminated(code, message=message)
        )
        await self.finish(name, good=code == 0)

    async def finish(self, name: str, *, good: bool, reason: str = "", failed: int = 1) -> None:
        """The Job's own conditions."""
        now = timestamp()
        before, last = ("SuccessCriteriaMet", "Complete") if good else ("FailureTarget", "Failed")
        why = reason or ("CompletionsReached" if good else "BackoffLimitExceeded")
        status = {
            "startTime": timestamp(60),
            **({"completionTime": now, "succeeded": 1} if good else {"failed": failed}),
            "conditions": [
                condition(kind, reason=why, message=why, lastProbeTime=now)
                for kind in (before, last)
            ],
            "active": 0,
            "ready": 0,
            "terminating": 0,
            "uncountedTerminatedPods": {},
        }
        await self.world.seen(JOBS, self.world.person.patch_status(JOBS, name, status))

    async def status(self, name: str, **fields: Any) -> None:
        status = {"startTime": timestamp(60), **fields}
        await self.world.seen(JOBS, self.world.person.patch_status(JOBS, name, status))

    async def pod(
        self,
        name: str,
        phase: str,
        state: Body,
        *,
        conditions: list[dict[str, str]] | None = None,
        index: int = 0,
    ) -> str:
        """A pod of the Job as its template says, in this state; its name."""
        person = self.world.person
        job = person.get(JOBS, name)
        template = job["spec"]["template"]
        pod = f"{name}-{next(self._pods)}"
        owner = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": name,
            "uid": job["metadata"]["uid"],
            "controller": True,
        }
        metadata = {
            "name": pod,
            "labels": template["metadata"]["labels"] | {"batch.kubernetes.io/job-name": name},
            "annotations": {"batch.kubernetes.io/job-completion-index": str(index)},
            "ownerReferences": [owner],
        }
        spec = template["spec"] | {"serviceAccountName": "default"}
        person.create(PODS, {"metadata": metadata, "spec": spec})
        status = {
            "phase": phase,
            "conditions": conditions or [scheduled()],
            "containerStatuses": [container_status(CONTAINER, state)] if state else [],
        }
        await self.world.seen(PODS, person.patch_status(PODS, pod, status))
        return pod

    def _count(self, _model: str) -> None:
        for job in self.world.cache.all(JOBS):
            uids = self.jobs.setdefault(job["metadata"]["name"], [])
            if job["metadata"]["uid"] not in uids:
                uids.append(job["metadata"]["uid"])


class Engines:
    """``http://…/<service>/v1/completions`` of every engine that was said to run."""

    def __init__(self) -> None:
        self.broken: str | None = None
        self.answers: list[dict[str, Any]] = []
        self.services: list[str] = []
        app = web.Application()
        app.router.add_post("/{service}/v1/completions", self._complete)
        self._server = TestServer(app)

    async def __aenter__(self) -> Engines:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def template(self) -> str:
        return str(self._server.make_url("")).rstrip("/") + "/{service}"

    async def _complete(self, request: web.Request) -> web.Response:
        if self.broken is not None:
            return web.Response(status=500, text=self.broken)
        body = await request.json()
        self.answers.append(body)
        self.services.append(request.match_info["service"])
        if not body.get("stream"):
            usage = {"completion_tokens": 8}
            return web.json_response({"choices": [{"text": "x"}], "usage": usage})
        chunk = json.dumps({"choices": [{"text": "x"}]})
        return web.Response(
            text=f"data: {chunk}\n\ndata: [DONE]\n\n", content_type="text/event-stream"
        )


class KubernetesBackendsWorld:
    """``later``: seconds by which the operator's clock is ahead of the world's."""

    def __init__(
        self, world: KubernetesWorld, engines: Engines, *, config: PlatformConfig = CONFIG
    ) -> None:
        self.world = world
        self.engines = engines
        self.config = config
        self.later = 0.0
        self._pods = itertools.count(1)
        self._adapters: list[KubernetesBackends] = []
        self.backends = self.again()

    @property
    def broken(self) -> str | None:
        return self.engines.broken

    @broken.setter
    def broken(self, text: str | None) -> None:
        self.engines.broken = text

    @property
    def answers(self) -> list[dict[str, Any]]:
        return self.engines.answers

    def again(self) -> KubernetesBackends:
        adapter = KubernetesBackends(
            self.world.api,
            self.world.cache,
            self.config,
            service_url=self.engines.template,
            now=lambda: datetime.now(UTC) + timedelta(seconds=self.later),
        )
        self._adapters.append(adapter)
        return adapter

    async def aclose(self) -> None:
        for adapter in self._adapters:
            await adapter.aclose()

    async def prepare(self) -> None:
        """The release's anchor."""
        self.world.person.create(CONFIG_MAPS, {"metadata": {"name": self.config.anchor}})

    async def ready(self, name: str, replicas: int = 1) -> None:
        """On a CPU all replicas run in the head's pod; that there are so many, Serve says."""
        if not self._heads(name):
            await self.head(name)
        self.later += 11 if replicas > 1 else 0
        await self.said(name, app="RUNNING", engine="HEALTHY")

    async def fail(self, name: str, message: str) -> None:
        await self.said(
            name, app="DEPLOY_FAILED", engine="UNHEALTHY", message=message, reachable=False
        )

    async def crash(self, name: str) -> None:
        await self.said(name, app="UNHEALTHY", engine="UNHEALTHY", message="the replica died")

    async def said(
        self, name: str, *, app: str, engine: str, message: str = "", reachable: bool = True
    ) -> None:
        """What KubeRay writes of the application."""
        deployment = {"status": engine, "message": message}
        application = {
            "status": app,
            "message": "",
            "serveDeploymentStatuses": {ENGINE: deployment},
        }
        await self.status(
            name,
            activeServiceStatus={"applicationStatuses": {name: application}},
            conditions=[
                condition(
                    "Ready", str(reachable), reason="NonZeroServeEndpoints", message="endpoints"
                )
            ],
        )

    async def status(self, name: str, **fields: Any) -> None:
        made = self.world.person.patch_status(RAY_SERVICES, name, fields)
        await self.world.seen(RAY_SERVICES, made)

    async def head(self, name: str, *, state: Body | None = None, **how: Any) -> str:
        return await self.pod(name, "head", state or {"running": {"startedAt": timestamp()}}, **how)

    async def pod(
        self,
        name: str,
        kind: str,
        state: Body | None,
        *,
        restarts: int = 0,
        last: Body | None = None,
        conditions: list[dict[str, str]] | None = None,
    ) -> str:
        """A pod of the cluster as KubeRay makes it from the template, in this state; its name."""
        person = self.world.person
        cluster = person.get(RAY_SERVICES, name)["spec"]["rayClusterConfig"]
        group = cluster["headGroupSpec"] if kind == "head" else cluster["workerGroupSpecs"][0]
        template = group["template"]
        pod = f"{name}-x-{kind}-{next(self._pods)}"
        labels = template["metadata"]["labels"] | {"ray.io/node-type": kind}
        spec = template["spec"] | {"serviceAccountName": "default"}
        person.create(PODS, {"metadata": {"name": pod, "labels": labels}, "spec": spec})
        container = spec["containers"][0]["name"]
        running = state is not None and "running" in state
        statuses = (
            [container_status(container, state, restarts=restarts, last=last)] if state else []
        )
        status = {
            "phase": "Running" if running else "Pending",
            "conditions": conditions or [scheduled(), condition("Ready", str(running))],
            "containerStatuses": statuses,
        }
        await self.world.seen(PODS, person.patch_status(PODS, pod, status))
        return pod

    async def change_pod(self, pod: str, state: Body, *, ready: bool, **how: Any) -> None:
        """Another life of the pod's container."""
        container = self.world.person.get(PODS, pod)["spec"]["containers"][0]["name"]
        status = {
            "phase": "Running",
            "conditions": [scheduled(), condition("Ready", str(ready))],
            "containerStatuses": [container_status(container, state, **how)],
        }
        await self.world.seen(PODS, self.world.person.patch_status(PODS, pod, status))

    def _heads(self, name: str) -> list[Body]:
        pods = self.world.cache.of_model(PODS, MODEL)
        return [pod for pod in pods if pod["metadata"]["labels"].get(LABEL_BACKEND) == name]
