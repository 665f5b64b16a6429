"""Kubernetes' backends: one RayService each, found again by its labels.

Implements the port ``Backends``. KubeRay runs what a RayService says; here it is made, rescaled,
looked at and deleted, and warmed up through its Service before it may take traffic. The rendered
cluster and the engine's arguments are never written again. Talks to no Ray.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from slipway_contracts.backend import BackendArgs
from slipway_operator.core.decision import DesiredBackend
from slipway_operator.core.snapshot import BackendObservation
from slipway_operator.errors import Conflict, Transient
from slipway_operator.platforms.kubernetes.api import Api
from slipway_operator.platforms.kubernetes.build_backend import (
    COMPONENT,
    HEAD,
    LABEL_BACKEND,
    WORKER,
    build_backend,
)
from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.judge_backend import Seen, judge
from slipway_operator.platforms.kubernetes.kinds import (
    CONFIG_MAPS,
    LABEL_COMPONENT,
    LABEL_MODEL,
    PODS,
    RAY_SERVICES,
    Body,
    name_of,
    resource_version,
    uid_of,
)
from slipway_operator.platforms.kubernetes.serve_config import SERVE_PORT, args_of, rescaled
from slipway_operator.platforms.kubernetes.settings import PlatformConfig
from slipway_operator.platforms.kubernetes.warming import Warming
from slipway_operator.platforms.kubernetes.warmth import (
    ANNOTATION,
    RESCALED,
    Warmth,
    lives_of,
    remembered,
)
from slipway_operator.platforms.serving.applications import failure_of

log = logging.getLogger(__name__)

SERVICE_URL = "http://{service}.{namespace}.svc.{domain}:{port}"
CRASH_LINES = 60


def _now() -> datetime:
    return datetime.now(UTC)


class KubernetesBackends:
    """``ports.Backends`` for one namespace. ``aclose`` ends warm-ups that are under way."""

    def __init__(
        self,
        api: Api,
        cache: Cache,
        config: PlatformConfig,
        *,
        service_url: str = SERVICE_URL,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._api = api
        self._cache = cache
        self._config = config
        self._service_url = service_url
        self._now = now
        self._warming = Warming()
        # Newer than the annotations until ``apply`` has written them; by uid.
        self._warmth: dict[str, Warmth] = {}
        self._args: dict[str, BackendArgs | None] = {}

    async def observe(self, model: str) -> Mapping[str, BackendObservation]:
        """Every RayService of the Model."""
        found = {}
        for body in self._mine(model):
            found[name_of(body)] = await self._look(body)
        self._forget()
        return found

    async def apply(self, model: str, desired: Sequence[DesiredBackend]) -> None:
        """Make what is missing, rescale and annotate what is there, delete what is not listed."""
        wanted = {backend.name for backend in desired}
        for body in self._mine(model):
            if name_of(body) not in wanted and not _leaving(body):
                await self._delete(body)
        for backend in desired:
            found = self._cache.get(RAY_SERVICES, backend.name)
            if found is None:
                await self._create(backend)
            elif not _leaving(found):
                await self._keep(found, backend)

    async def aclose(self) -> None:
        """End the warm-ups that are under way."""
        await self._warming.aclose()

    def _mine(self, model: str) -> list[Body]:
        bodies = self._cache.of_model(RAY_SERVICES, model)
        return [b for b in bodies if b["metadata"]["labels"].get(LABEL_COMPONENT) == COMPONENT]

    async def _look(self, body: Body) -> BackendObservation:
        seen = self._judge(body)
        args = self._arguments(body)
        if seen.warm is not None and args is not None:
            url, uid = self._url(name_of(body)), uid_of(body)
            if await self._warming.warmed(uid, url, args, wanted=seen.warm):
                self._warmth[uid] = seen.warm
                seen = self._judge(body)
        if seen.cooled and self._known(body) is not None:
            self._warmth[uid_of(body)] = Warmth()
        if seen.crashed is not None:
            seen = await self._crash_said(seen, seen.crashed)
        return self._observation(body, seen, args)

    def _judge(self, body: Body) -> Seen:
        return judge(
            body,
            self._arguments(body),
            its_pods=self._pods(body),
            warmth=self._known(body),
            now=self._now(),
        )

    def _known(self, body: Body) -> Warmth | None:
        return self._warmth.get(uid_of(body)) or remembered(body)

    def _pods(self, body: Body) -> list[Body]:
        pods = self._cache.of_model(PODS, body["metadata"]["labels"][LABEL_MODEL])
        mine = (p for p in pods if p["metadata"]["labels"].get(LABEL_BACKEND) == name_of(body))
        # A name comes back only with the same arguments, but its pods are others.
        made = str(body["metadata"].get("creationTimestamp") or "")
        return [p for p in mine if str(p["metadata"].get("creationTimestamp") or "") >= made]

    def _arguments(self, body: Body) -> BackendArgs | None:
        """They never change in one object's life, so they are parsed once."""
        uid = uid_of(body)
        if uid not in self._args:
            self._args[uid] = args_of(body)
        return self._args[uid]

    async def _crash_said(self, seen: Seen, pod: Body) -> Seen:
        """The engine's own line, where its log still has it."""
        container = HEAD if HEAD in {c["name"] for c in pod["spec"]["containers"]} else WORKER
        try:
            text = await self._api.pod_log(
                name_of(pod), container=container, tail_lines=CRASH_LINES
            )
        except Transient:
            return seen
        if not text.strip():
            return seen
        reason, message = failure_of([text])
        return Seen(state=seen.state, reason=reason, message=message, cooled=seen.cooled)

    def _observation(self, body: Body, seen: Seen, args: BackendArgs | None) -> BackendObservation:
        trouble = self._warming.trouble(uid_of(body)) if seen.warm is not None else ""
        return BackendObservation(
            name=name_of(body),
            state=seen.state,
            url=self._url(name_of(body)),
            ready_replicas=seen.ready_replicas,
            reason=seen.reason,
            message=trouble or seen.message,
            version=args.version if args is not None else "",
            artifact=args.artifact if args is not None else None,
            serving=args.serving if args is not None else None,
        )

    async def _create(self, backend: DesiredBackend) -> None:
        anchor = await self._api.get(CONFIG_MAPS, self._config.anchor)
        if anchor is None:
            raise Transient(
                f"ConfigMap {self._config.anchor} is not there, and backends belong to it; install "
                "the chart, or correct anchor in platform.yaml",
                delay=5.0,
            )
        body = build_backend(backend, config=self._config, anchor=anchor)
        kind = RAY_SERVICES
        whole = {"apiVersion": kind.api_version, "kind": kind.kind, **body}
        try:
            made = await self._api.create(kind, whole)
        except Conflict:
            # Made before, but not seen yet: what is there counts.
            found = await self._api.get(kind, backend.name)
            if found is None:
                raise
            made = found
        self._cache.put(kind, made)

    async def _keep(self, body: Body, backend: DesiredBackend) -> None:
        """Scaling and the annotation, in one guarded patch; nothing else is ever written."""
        patch: Body = {}
        old = body["spec"].get("serveConfigV2") or ""
        new = rescaled(old, backend)
        annotations: dict[str, str] = {}
        if new != old:
            patch["spec"] = {"serveConfigV2": new}
            annotations[RESCALED] = self._now().isoformat(timespec="seconds")
        warmth = self._annotation(body)
        if warmth is not None:
            annotations[ANNOTATION] = warmth
        if not annotations:
            return
        patch["metadata"] = {
            "uid": uid_of(body),
            "resourceVersion": resource_version(body),
            "annotations": annotations,
        }
        self._cache.put(RAY_SERVICES, await self._api.patch(RAY_SERVICES, backend.name, patch))
        self._warmth.pop(uid_of(body), None)

    def _annotation(self, body: Body) -> str | None:
        """What it should say; None when it does."""
        newer = self._warmth.get(uid_of(body))
        if newer is None:
            return None
        text = newer.within(lives_of(self._pods(body))).text()
        written = (body["metadata"].get("annotations") or {}).get(ANNOTATION)
        return text if text != written else None

    async def _delete(self, body: Body) -> None:
        await self._api.delete(RAY_SERVICES, name_of(body), uid=uid_of(body))
        self._cache.drop(RAY_SERVICES, name_of(body), uid=uid_of(body))
        log.info("backend deleted", extra={"backend": name_of(body)})

    def _url(self, name: str) -> str:
        return self._service_url.format(
            service=f"{name}-serve-svc",
            namespace=self._api.namespace,
            domain=self._config.cluster_domain,
            port=SERVE_PORT,
        )

    def _forget(self) -> None:
        uids = self._cache.uids(RAY_SERVICES)
        self._warming.keep(uids)
        for known in (self._warmth, self._args):
            for uid in known.keys() - uids:
                known.pop(uid, None)


def _leaving(body: Body) -> bool:
    return body["metadata"].get("deletionTimestamp") is not None
