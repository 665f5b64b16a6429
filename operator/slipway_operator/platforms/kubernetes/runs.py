"""Kubernetes' runs: one Job and one record each, found again by their labels.

Implements the port ``Runs``. Reads the cache, looks at pods, and writes only what is missing: a
record and a Job are made once and never rendered again, an end is written into the record, what is
not desired is stopped. Killed between any two writes, the next pass does the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from slipway_contracts.run import RunResult
from slipway_operator.core.decision import DesiredRun
from slipway_operator.core.snapshot import Milestones, RunObservation, RunState
from slipway_operator.errors import Conflict
from slipway_operator.platforms.kubernetes.api import Api
from slipway_operator.platforms.kubernetes.build_run import (
    COMPONENT,
    CONTAINER,
    build_job,
    build_record,
    build_service,
    nodes_of,
)
from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.judge_run import Judged, judge
from slipway_operator.platforms.kubernetes.kinds import (
    CONFIG_MAPS,
    JOBS,
    LABEL_MODEL,
    MODEL_VERSIONS,
    PODS,
    SERVICES,
    Body,
    Kind,
    name_of,
    uid_of,
)
from slipway_operator.platforms.kubernetes.pods import ended_of
from slipway_operator.platforms.kubernetes.progress import RunLogs, result_in
from slipway_operator.platforms.kubernetes.records import outcome_patch, recorded
from slipway_operator.platforms.kubernetes.settings import PlatformConfig

log = logging.getLogger(__name__)

JOB_NAME = "batch.kubernetes.io/job-name"
FORGET_EVERY = timedelta(seconds=10)
NO_RESULT = "the run ended without a result; read its pod's log, then set spec.retry.id"


def _now() -> datetime:
    return datetime.now(UTC)


class KubernetesRuns:
    """``ports.Runs`` for one namespace."""

    def __init__(
        self,
        api: Api,
        cache: Cache,
        config: PlatformConfig,
        *,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._api = api
        self._cache = cache
        self._config = config
        self._now = now
        self._logs = RunLogs(api, CONTAINER)
        # Ends that are not recorded yet, by the Job's uid: a log is read once.
        self._ends: dict[str, RunObservation] = {}
        self._forget_at = now()

    async def observe(self, model: str) -> Mapping[str, RunObservation]:
        """Every run of the Model that was ever started and whose version exists."""
        found = {}
        for name in self._names(model):
            found[name] = await self._look(name)
        self._forget()
        return found

    async def apply(self, model: str, desired: Sequence[DesiredRun]) -> None:
        """Start what is desired and not there, stop what is not, record what ended."""
        wanted = {run.name for run in desired}
        for name in self._names(model):
            if name not in wanted:
                await self._settle(name)
        for run in desired:
            await self._start(run, model)

    def _names(self, model: str) -> list[str]:
        names_of = self._cache.names_of
        kinds: Iterable[Kind] = (CONFIG_MAPS, JOBS)
        return sorted(
            {name for kind in kinds for name in names_of(kind, model, component=COMPONENT)}
        )

    async def _look(self, name: str) -> RunObservation:
        record, job = self._cache.get(CONFIG_MAPS, name), self._cache.get(JOBS, name)
        ended = recorded(record) if record is not None else None
        if ended is not None:
            return ended
        if job is None:
            said = "its Job is gone; it is started again where it stopped"
            return RunObservation(name=name, state=RunState.LOST, message=said)
        known = self._ends.get(uid_of(job))
        if known is not None:
            return known
        judged = await self._judge(job)
        seen = await self._observation(name, judged)
        if judged.over and seen.state is not RunState.LOST:
            self._ends[uid_of(job)] = seen
        return seen

    async def _judge(self, job: Body) -> Judged:
        judged = judge(job, self._pods(job, self._cache.of_model(PODS, _model(job))), self._now())
        if not judged.unseen:
            return judged
        # The watch of pods may be behind that of Jobs: ask before it is believed.
        live = await self._api.list(PODS, labels={JOB_NAME: name_of(job)})
        return judge(job, self._pods(job, live), self._now())

    async def _observation(self, name: str, judged: Judged) -> RunObservation:
        if judged.state is RunState.SUCCEEDED:
            return await self._succeeded(name, judged)
        progress, seen = None, Milestones()
        if judged.pod is not None:
            running = judged.state is RunState.RUNNING
            logs = self._logs
            progress = await logs.progress(judged.pod) if running else logs.last(judged.pod)
            seen = logs.milestones(judged.pod)
        return RunObservation(
            name=name,
            state=judged.state,
            exit_code=judged.exit_code,
            reason=judged.reason,
            message=judged.message,
            restarts=judged.restarts,
            progress=progress,
            milestones=seen,
            told=judged.told,
        )

    async def _succeeded(self, name: str, judged: Judged) -> RunObservation:
        if judged.pod is None:
            # Nobody can tell its result any more but the run itself, which keeps it in its folder.
            said = "its pod is gone before its result was read; it is started again to tell it"
            return RunObservation(name=name, state=RunState.LOST, message=said)
        result = await self._result(judged.pod)
        good = result is not None and not result.error
        said = result.error if result is not None and result.error else NO_RESULT
        return RunObservation(
            name=name,
            state=RunState.SUCCEEDED if good else RunState.FAILED,
            exit_code=0,
            message="" if good else said,
            restarts=judged.restarts,
            progress=await self._logs.progress(judged.pod) if good else None,
            result=result,
        )

    async def _result(self, pod: Body) -> RunResult | None:
        ended = ended_of(pod, CONTAINER)
        told = result_in(ended.message) if ended is not None and ended.message else None
        return told or await self._logs.result(pod)

    async def _settle(self, name: str) -> None:
        """It is not desired: remember its end, or stop it. Its record stays."""
        record, job = self._cache.get(CONFIG_MAPS, name), self._cache.get(JOBS, name)
        if job is None:
            return
        if record is None or recorded(record) is None:
            seen = await self._look(name)
            if seen.state in (RunState.SUCCEEDED, RunState.FAILED) and record is not None:
                await self._remember(record, job, seen)
        if not _finished(job):
            await self._stop(job)

    async def _remember(self, record: Body, job: Body, seen: RunObservation) -> None:
        patch = outcome_patch(record, seen)
        self._cache.put(CONFIG_MAPS, await self._api.patch(CONFIG_MAPS, name_of(record), patch))
        self._ends.pop(uid_of(job), None)
        log.info("run ended", extra={"run": seen.name, "state": seen.state.value})

    async def _stop(self, job: Body) -> None:
        """Its pods get SIGTERM and their grace period: a training writes a checkpoint."""
        await self._api.delete(JOBS, name_of(job), uid=uid_of(job))
        self._cache.drop(JOBS, name_of(job), uid=uid_of(job))

    async def _start(self, run: DesiredRun, model: str) -> None:
        record, job = self._cache.get(CONFIG_MAPS, run.name), self._cache.get(JOBS, run.name)
        if record is not None and recorded(record) is not None:
            return
        if job is not None and _finished(job):
            # Ended between two looks, or nobody can tell its result: then it tells it again.
            if (await self._look(run.name)).state is RunState.LOST:
                await self._stop(job)
            return
        if record is not None and job is not None:
            return
        owner = self._owner(run)
        config = self._config
        if record is None:
            body = build_record(run, model=model, config=config, owner=owner)
            await self._create(CONFIG_MAPS, body)
        if job is None:
            if nodes_of(run) > 1:
                service = build_service(run, model=model, config=config, owner=owner)
                await self._api.apply(SERVICES, service)
            await self._create(JOBS, build_job(run, model=model, config=config, owner=owner))

    def _owner(self, run: DesiredRun) -> Body:
        owner = self._cache.get(MODEL_VERSIONS, run.version)
        if owner is None:
            raise Conflict(f"ModelVersion {run.version} is gone; its run {run.name} is not started")
        return owner

    async def _create(self, kind: Kind, body: Body) -> None:
        """Made before, but not seen yet: then what is there counts."""
        whole = {"apiVersion": kind.api_version, "kind": kind.kind, **body}
        try:
            made = await self._api.create(kind, whole)
        except Conflict:
            found = await self._api.get(kind, name_of(body))
            if found is None:
                raise
            made = found
        self._cache.put(kind, made)

    def _pods(self, job: Body, candidates: Iterable[Body]) -> list[Body]:
        uid = uid_of(job)
        return [
            pod
            for pod in candidates
            if any(owner.get("uid") == uid for owner in pod["metadata"].get("ownerReferences", ()))
        ]

    def _forget(self) -> None:
        """Now and then: it looks at every Job and pod of the namespace."""
        now = self._now()
        if now < self._forget_at:
            return
        self._forget_at = now + FORGET_EVERY
        if self._ends:
            living = self._cache.uids(JOBS)
            self._ends = {uid: seen for uid, seen in self._ends.items() if uid in living}
        if self._logs.heard:
            self._logs.keep(self._cache.uids(PODS))


def _model(body: Body) -> str:
    return str(body["metadata"]["labels"].get(LABEL_MODEL, ""))


def _finished(job: Body) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(
        c.get("type") in ("Complete", "Failed") and c.get("status") == "True" for c in conditions
    )
