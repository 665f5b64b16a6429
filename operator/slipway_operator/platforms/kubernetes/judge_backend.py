"""A RayService, its pods and who has answered → the backend's state. Pure.

KubeRay's status says what Serve says; the pods say why nothing is said at all. Ready replicas are
those that Serve promises (its floor) as far as their pods are there, and no more: what autoscaling
adds on a CPU cannot be seen from outside. Who was ready once and is not now is UNHEALTHY: KubeRay
and Serve go on trying.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from slipway_contracts.backend import ENGINE_DEPLOYMENT, BackendArgs
from slipway_contracts.conditions import Reason
from slipway_operator.core.snapshot import BackendState
from slipway_operator.platforms.kubernetes import pods
from slipway_operator.platforms.kubernetes.build_backend import (
    HEAD,
    WORKER,
    workers_per_replica,
)
from slipway_operator.platforms.kubernetes.kinds import Body, name_of
from slipway_operator.platforms.kubernetes.serve_config import floor_of
from slipway_operator.platforms.kubernetes.warmth import Warmth, lives_of, settling
from slipway_operator.platforms.serving.applications import failure_of, short

NODE_TYPE = "ray.io/node-type"
# A second start helps against a passing shortage, a third only delays the verdict.
CRASHES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """``warm``: what may be warmed up now. ``cooled``: nothing of it answers any more.

    ``crashed``: the pod whose log may say more than is known here.
    """

    state: BackendState
    ready_replicas: int = 0
    reason: Reason | None = None
    message: str = ""
    warm: Warmth | None = None
    cooled: bool = False
    crashed: Body | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What the RayService and its pods say, in the words that the rules need."""

    app: dict[str, Any]
    engine: dict[str, Any]
    reachable: bool
    lives: frozenset[str]
    replicas: int

    @property
    def live(self) -> bool:
        """Serve has all that it wants, and the Service has endpoints."""
        engine = self.engine.get("status") in {"HEALTHY", "UPSCALING", "DOWNSCALING"}
        running = self.app.get("status") == "RUNNING" and engine
        return running and self.reachable and bool(self.lives)

    @property
    def changing(self) -> bool:
        """Serve is about to have more or fewer; what it had serves on."""
        states = {self.app.get("status"), self.engine.get("status")}
        calm = states <= {"DEPLOYING", "RUNNING", "UPDATING", "UPSCALING", "DOWNSCALING", "HEALTHY"}
        return calm and self.reachable


def judge(
    ray_service: Body,
    args: BackendArgs | None,
    *,
    its_pods: list[Body],
    warmth: Warmth | None,
    now: datetime,
) -> Seen:
    """``warmth`` None: it was never ready."""
    if ray_service["metadata"].get("deletionTimestamp") is not None:
        return Seen(state=BackendState.STOPPING, message="stopping")
    refused = _refused(ray_service)
    if refused:
        return Seen(state=BackendState.FAILED, reason=Reason.INVALID, message=refused)
    facts = _facts(ray_service, args, its_pods)
    if facts.app.get("status") == "DEPLOY_FAILED":
        reason, message = failure_of(_messages(facts.app))
        return Seen(state=BackendState.FAILED, reason=reason, message=message, cooled=True)
    if facts.live and not (settling(ray_service, now) and warmth is not None and warmth.pods):
        return _live(facts, warmth or Warmth(), first=warmth is None)
    known = warmth.within(facts.lives) if warmth is not None else Warmth()
    if known.pods and facts.changing:
        ready = min(known.replicas, facts.replicas)
        return Seen(
            state=BackendState.READY, ready_replicas=ready, message=_short_of(its_pods, now)
        )
    if warmth is not None:
        return _lost(facts, its_pods, now)
    return _starting(ray_service, facts, its_pods, now)


def _live(facts: _Facts, warmth: Warmth, *, first: bool) -> Seen:
    if warmth.covers(facts.lives, facts.replicas):
        return Seen(state=BackendState.READY, ready_replicas=facts.replicas)
    warm = Warmth(pods=facts.lives, replicas=facts.replicas)
    known = warmth.within(facts.lives)
    if known.pods:
        ready = min(known.replicas, facts.replicas)
        return Seen(state=BackendState.READY, ready_replicas=ready, warm=warm)
    said = "waiting for its first answers"
    if first:
        state, reason = BackendState.STARTING, Reason.STARTING
    else:
        state, reason, said = (
            BackendState.UNHEALTHY,
            Reason.BACKEND_LOST,
            "the engine is back; " + said,
        )
    return Seen(state=state, reason=reason, message=said, warm=warm)


def _lost(facts: _Facts, its_pods: list[Body], now: datetime) -> Seen:
    reason, said = _why(its_pods, now) or (
        Reason.BACKEND_LOST,
        "; ".join(short(text) for text in _messages(facts.app)[:1]),
    )
    return Seen(
        state=BackendState.UNHEALTHY,
        reason=reason,
        message=f"the backend does not answer and is started again; {said}".rstrip("; "),
        cooled=True,
    )


def _starting(ray_service: Body, facts: _Facts, its_pods: list[Body], now: datetime) -> Seen:
    for pod in its_pods:
        trouble = pods.trouble_of(pod, now)
        if trouble is not None and trouble.reason is Reason.INSUFFICIENT_CAPACITY:
            return Seen(
                state=BackendState.NO_CAPACITY, reason=trouble.reason, message=trouble.message
            )
        if trouble is not None:
            state = BackendState.FAILED if trouble.lasting else BackendState.STARTING
            return Seen(state=state, reason=trouble.reason, message=trouble.message)
        crash = _crash(pod)
        if crash is not None:
            return crash
    blocked = _blocked(ray_service)
    if blocked is not None:
        return blocked
    if not its_pods:
        said = "waiting for KubeRay to make its pods"
    elif not any(pods.phase(pod) == "Running" for pod in its_pods):
        said = "waiting for its image and its containers"
    elif not facts.app:
        said = "waiting for Ray to start"
    else:
        said = "waiting for the engine to load"
    return Seen(state=BackendState.STARTING, reason=Reason.STARTING, message=said)


def _crash(pod: Body) -> Seen | None:
    """It ended before it ever answered: at once for its memory, else at the second time."""
    ended = _ended(pod)
    if ended is None:
        return None
    if ended.out_of_memory:
        return Seen(
            state=BackendState.FAILED, reason=Reason.OOM_KILLED, message=_out_of_memory(pod)
        )
    if pods.restarts_of(pod) < CRASHES and not pods.crash_looping(pod):
        return None
    reason, said = failure_of([ended.message])
    message = f"pod {name_of(pod)} ends with exit code {ended.exit_code}: {said}"
    return Seen(state=BackendState.FAILED, reason=reason, message=message, crashed=pod)


def _why(its_pods: list[Body], now: datetime) -> tuple[Reason, str] | None:
    """What the pods of a backend that is lost say."""
    for pod in its_pods:
        trouble = pods.trouble_of(pod, now)
        if trouble is not None:
            return trouble.reason, trouble.message
        ended = _ended(pod)
        if ended is not None and ended.out_of_memory:
            return Reason.OOM_KILLED, _out_of_memory(pod)
        if ended is not None:
            said = f"pod {name_of(pod)} ended with exit code {ended.exit_code}"
            return Reason.BACKEND_LOST, f"{said} {pods.disrupted(pod)}".rstrip()
    return None


def _short_of(its_pods: list[Body], now: datetime) -> str:
    """Why a replica more is not there yet."""
    for pod in its_pods:
        trouble = pods.trouble_of(pod, now)
        if trouble is not None:
            return trouble.message
    return ""


def _out_of_memory(pod: Body) -> str:
    return f"pod {name_of(pod)} was killed for its memory; raise serving.resources.memory"


def _ended(pod: Body) -> pods.Ended | None:
    for container in (HEAD, WORKER):
        ended = pods.ended_of(pod, container) or pods.ended_of(pod, container, before=True)
        if ended is not None:
            return ended
    return None


def _facts(ray_service: Body, args: BackendArgs | None, its_pods: list[Body]) -> _Facts:
    status = ray_service.get("status") or {}
    app = _app(status, name_of(ray_service))
    serving = args.serving if args is not None else None
    gpu = serving is not None and serving.resources.gpu > 0
    kind = "worker" if gpu else "head"
    able = [pod for pod in its_pods if _labels(pod).get(NODE_TYPE) == kind and pods.is_ready(pod)]
    if serving is not None and gpu:
        replicas = min(len(able) // workers_per_replica(serving), serving.replicas.max)
    else:
        replicas = floor_of(ray_service)
    return _Facts(
        app=app,
        engine=(app.get("serveDeploymentStatuses") or {}).get(ENGINE_DEPLOYMENT) or {},
        reachable=_condition(status, "Ready").get("status") == "True",
        lives=lives_of(able),
        replicas=replicas,
    )


def _app(status: dict[str, Any], name: str) -> dict[str, Any]:
    """A first cluster is pending until the Service points at it."""
    for part in ("activeServiceStatus", "pendingServiceStatus"):
        apps = (status.get(part) or {}).get("applicationStatuses") or {}
        if name in apps:
            found: dict[str, Any] = apps[name]
            return found
    return {}


def _messages(app: dict[str, Any]) -> list[str]:
    """The deployments say why, the application often only which."""
    deployments = (app.get("serveDeploymentStatuses") or {}).values()
    texts = [*(str(d.get("message") or "") for d in deployments), str(app.get("message") or "")]
    return [text for text in texts if text]


def _refused(ray_service: Body) -> str:
    condition = _condition(ray_service.get("status") or {}, "Ready")
    if condition.get("reason") != "ValidationFailed":
        return ""
    return f"KubeRay refuses the RayService: {short(str(condition.get('message')))}"


def _blocked(ray_service: Body) -> Seen | None:
    """Pods that the API server does not let KubeRay make: a quota, or an admission policy."""
    status = ray_service.get("status") or {}
    for part in ("pendingServiceStatus", "activeServiceStatus"):
        cluster = (status.get(part) or {}).get("rayClusterStatus") or {}
        condition = _condition(cluster, "ReplicaFailure")
        if condition.get("status") != "True":
            continue
        said = short(str(condition.get("message") or "its pods cannot be made"))
        if "quota" in said:
            fix = f"{said}; raise the namespace's ResourceQuota or free some of it"
            return Seen(
                state=BackendState.NO_CAPACITY, reason=Reason.INSUFFICIENT_CAPACITY, message=fix
            )
        return Seen(state=BackendState.STARTING, reason=Reason.STARTUP_FAILED, message=said)
    return None


def _condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    found = (c for c in status.get("conditions") or () if c.get("type") == kind)
    return next(found, {})


def _labels(pod: Body) -> dict[str, str]:
    return pod["metadata"].get("labels") or {}
