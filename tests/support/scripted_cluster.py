"""Plays the Job controller, the kubelet and KubeRay in one namespace of a bare API server.

It reads a cache that the real watch fills, and writes what those controllers would: a pod for each
Job and its end, a head pod for each RayService and what Serve says of it. ``Script`` bends it. A
turn that fails is taken again, as controllers do.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from children_world import ENGINE, condition, container_status, scheduled, terminated, timestamp
from pydantic import TypeAdapter

from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.evaluation import EvaluationReport, Figure, SuiteResult
from slipway_contracts.run import EvaluateRun, RunResult, RunSpec
from slipway_operator.errors import OperatorError
from slipway_operator.platforms.kubernetes.api import Api
from slipway_operator.platforms.kubernetes.build_run import CONTAINER, SPEC_KEY
from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.kinds import (
    CONFIG_MAPS,
    JOBS,
    LABEL_MODEL,
    LABEL_VERSION,
    PODS,
    RAY_SERVICES,
    Body,
    Kind,
    name_of,
    resource_version,
    uid_of,
)

SPECS: TypeAdapter[Any] = TypeAdapter(RunSpec)
EVERY_SECONDS = 0.05
RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


@dataclass
class Script:
    """Versions whose runs or engines do not simply succeed, and figures of evaluations."""

    held: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    losses: dict[str, float] = field(default_factory=dict)


@dataclass
class ScriptedCluster:
    """``turn`` does what is due; ``playing`` goes on until the context ends."""

    api: Api
    cache: Cache
    script: Script = field(default_factory=Script)

    @asynccontextmanager
    async def playing(self) -> AsyncIterator[ScriptedCluster]:
        task = asyncio.create_task(self._play(), name="scripted-cluster")
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def turn(self) -> None:
        """Everything at once, as controllers have their workers."""
        due = [self._tried(self._run, job) for job in self.cache.all(JOBS)]
        due += [self._tried(self._serve, service) for service in self.cache.all(RAY_SERVICES)]
        await asyncio.gather(*due)

    async def _play(self) -> None:
        while True:
            await self.turn()
            await asyncio.sleep(EVERY_SECONDS)

    async def _tried(self, play: Any, body: Body) -> None:
        """Somebody else wrote or deleted meanwhile: the next turn sees it."""
        try:
            await play(body)
        except OperatorError:
            return

    # the Job controller and the kubelet

    async def _run(self, job: Body) -> None:
        version = job["metadata"]["labels"][LABEL_VERSION]
        if (job.get("status") or {}).get("conditions") or _leaving(job):
            return
        pod = self._pod_of(job)
        if pod is None:
            labels = {"batch.kubernetes.io/job-name": name_of(job)}
            whole = await self.api.get(JOBS, name_of(job))  # the cache keeps no template
            assert whole is not None
            await self._make_pod(JOBS, job, whole["spec"]["template"], CONTAINER, labels=labels)
        elif version not in self.script.held:
            if pod["status"].get("phase") == "Running":
                await self._end_pod(pod, version)
            await self._finish(job, good=version not in self.script.failing)

    async def _end_pod(self, pod: Body, version: str) -> None:
        good = version not in self.script.failing
        text = self._result(pod).model_dump_json(by_alias=True, exclude_none=True)
        state = terminated(0 if good else 78, message=text if good else "slipway: no such text")
        status = {
            "phase": "Succeeded" if good else "Failed",
            "containerStatuses": [container_status(CONTAINER, state)],
        }
        await self._status(PODS, pod, status)

    async def _finish(self, job: Body, *, good: bool) -> None:
        now = timestamp()
        pair = ("SuccessCriteriaMet", "Complete") if good else ("FailureTarget", "Failed")
        why = "CompletionsReached" if good else "PodFailurePolicy"
        conditions = [condition(kind, reason=why, message=why, lastProbeTime=now) for kind in pair]
        status = {
            "startTime": timestamp(5),
            **({"completionTime": now, "succeeded": 1} if good else {"failed": 1}),
            "conditions": conditions,
            "active": 0,
            "ready": 0,
            "terminating": 0,
            "uncountedTerminatedPods": {},
        }
        await self._status(JOBS, job, status)

    def _result(self, pod: Body) -> RunResult:
        """What the training package would leave, by the spec that the pod was given."""
        name = pod["metadata"]["labels"]["batch.kubernetes.io/job-name"]
        record = self.cache.get(CONFIG_MAPS, name)
        assert record is not None, f"no record {name}"
        spec = SPECS.validate_python(orjson.loads(record["data"][SPEC_KEY]))
        if isinstance(spec, EvaluateRun):
            return RunResult(report=self._report(spec))
        digest = hashlib.sha256(name.encode()).hexdigest()
        uri = f"file://{spec.artifact_dir}"
        return RunResult(artifact=ArtifactRef(uri=uri, digest=f"sha256:{digest}"))

    def _report(self, spec: EvaluateRun) -> EvaluationReport:
        def figures(version: str) -> dict[str, Figure]:
            return {"loss": Figure(value=self.script.losses.get(version, 1.0), samples=64)}

        baseline = spec.baseline.version if spec.baseline is not None else None
        return EvaluationReport(
            version=spec.candidate.version,
            baseline=baseline,
            suites=tuple(
                SuiteResult(
                    suite=suite.name,
                    kind=suite.kind,
                    candidate=figures(spec.candidate.version),
                    baseline=figures(baseline) if baseline is not None else {},
                )
                for suite in spec.suites
            ),
        )

    # KubeRay

    async def _serve(self, service: Body) -> None:
        version = service["metadata"]["labels"][LABEL_VERSION]
        if _leaving(service) or version in self.script.held:
            return
        if self._pod_of(service) is None:
            template = service["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]
            labels = {"ray.io/node-type": "head"}
            container = template["spec"]["containers"][0]["name"]
            await self._make_pod(RAY_SERVICES, service, template, container, labels=labels)
        elif not (service.get("status") or {}).get("conditions"):
            deployment = {"status": "HEALTHY", "message": ""}
            application = {
                "status": "RUNNING",
                "message": "",
                "serveDeploymentStatuses": {ENGINE: deployment},
            }
            status = {
                "activeServiceStatus": {"applicationStatuses": {name_of(service): application}},
                "conditions": [condition("Ready", reason="NonZeroServeEndpoints", message="ok")],
            }
            await self._status(RAY_SERVICES, service, status)

    # both

    def _pod_of(self, owner: Body) -> Body | None:
        for pod in self.cache.of_model(PODS, owner["metadata"]["labels"][LABEL_MODEL]):
            owners = pod["metadata"].get("ownerReferences", ())
            if any(reference["uid"] == uid_of(owner) for reference in owners):
                return None if _leaving(pod) else pod
        return None

    async def _make_pod(
        self, kind: Kind, owner: Body, template: Body, container: str, *, labels: dict[str, str]
    ) -> None:
        reference = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "name": name_of(owner),
            "uid": uid_of(owner),
            "controller": True,
        }
        metadata = {
            "name": f"{name_of(owner)}-{uid_of(owner)[:5]}",
            "labels": template["metadata"]["labels"] | labels,
            "ownerReferences": [reference],
        }
        # The release's ServiceAccounts are the chart's.
        spec = template["spec"] | {"serviceAccountName": "default"}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        made = await self.api.create(PODS, body)
        status = {
            "phase": "Running",
            "conditions": [scheduled(), condition("Ready")],
            "containerStatuses": [container_status(container, RUNNING)],
        }
        await self._status(PODS, made, status)

    async def _status(self, kind: Kind, body: Body, status: Body) -> None:
        after = await self.api.patch_status(
            kind, name_of(body), status, resource_version=resource_version(body)
        )
        self.cache.put(kind, after)


def _leaving(body: Body) -> bool:
    return "deletionTimestamp" in body["metadata"]
