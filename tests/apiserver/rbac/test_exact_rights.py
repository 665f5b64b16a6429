"""The operator may exactly what it does: the chart's Role against the API server's audit log.

It lives under its own ServiceAccount through a whole life, a training on several nodes, a stop in
the middle, finalizers and a restart. Then: no request was denied, and no grant was unused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from full_life import apply_version, live, until, until_holds, version_of
from helm_chart import RELEASE, of_kind, only, render
from kubernetes_world import KubernetesWorld, kubernetes_world
from manifests import TRAINING
from operator_parts import Outside, operating
from scripted_cluster import ScriptedCluster

from slipway_cluster.controlplane import ControlPlane
from slipway_contracts.names import FINALIZER
from slipway_operator.platforms.kubernetes.kinds import EVENTS, JOBS, MODEL_VERSIONS, MODELS
from slipway_operator.platforms.kubernetes.lease import Lease, Terms

ACCOUNT = f"{RELEASE}-operator"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"
Grant = tuple[str, str, str]


def install(plane: ControlPlane, namespace: str) -> set[Grant]:
    """The chart's ServiceAccount, Role and RoleBinding; what they grant."""
    objects = render(namespace=namespace)
    account = only(objects, "ServiceAccount", ACCOUNT)
    plane.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
    for kind, plural in (("Role", "roles"), ("RoleBinding", "rolebindings")):
        for body in of_kind(objects, kind):
            plane.request("POST", f"{RBAC}/{namespace}/{plural}", body)
    assert not of_kind(objects, "ClusterRole")
    role = only(objects, "Role", ACCOUNT)
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@asynccontextmanager
async def an_operator(
    plane: ControlPlane, namespace: str, outside: Outside, identity: str
) -> AsyncIterator[KubernetesWorld]:
    """All of it under its own account: cache, watch, lease and loop."""
    kubeconfig = plane.kubeconfig_as(ACCOUNT, namespace=namespace)
    async with kubernetes_world(plane, namespace, kubeconfig=kubeconfig) as mine:
        terms = Terms(duration=120, renew=90, retry=0.5)
        lease = Lease(mine.api, name=ACCOUNT, identity=identity, terms=terms)
        await lease.acquire()
        holding = asyncio.create_task(lease.hold())
        async with operating(mine.api, mine.cache, outside):
            yield mine
        holding.cancel()
        with suppress(asyncio.CancelledError):
            await holding
        await lease.release()


def audited(plane: ControlPlane, namespace: str) -> tuple[set[Grant], list[dict[str, Any]]]:
    """What the account did, and what it was denied."""
    user = f"system:serviceaccount:{namespace}:{ACCOUNT}"
    used: set[Grant] = set()
    denied = []
    for event in plane.audit_events():
        reference = event.get("objectRef")
        if event["user"]["username"] != user or not reference:
            continue
        code = event.get("responseStatus", {}).get("code", 0)
        if code == 403:
            denied.append(event)
            continue
        parts = (reference["resource"], reference.get("subresource"))
        grant = (reference.get("apiGroup", ""), "/".join(part for part in parts if part))
        used.add((*grant, event["verb"]))
        if event["verb"] == "patch" and code == 201:
            used.add((*grant, "create"))  # server-side apply of what was not there
    return used, denied


async def test_no_denial_and_no_unused_grant(
    plane: ControlPlane,
    namespace: str,
    world: KubernetesWorld,
    cluster: ScriptedCluster,
    outside: Outside,
) -> None:
    granted = install(plane, namespace)
    outside.verdicts[version_of("chat", 3)] = "Fail"
    async with an_operator(plane, namespace, outside, "first"):
        await live(world.person, world.cache, "chat")
        await _stopped_on_two_nodes(world, cluster)
        await _finalizers(world)
    # Another one finds what the first has left.
    async with an_operator(plane, namespace, outside, "second") as mine:
        await until(mine.cache, {version_of("chat", 2): "Serving"})
        for version in ("v9", None, "v9"):
            await _pinned(world, version)
        await until_holds(lambda: _counted(world), what="an Event that is counted up")
    used, denied = audited(plane, namespace)
    assert not denied
    assert used - granted == set()
    assert granted - used == set()


async def _stopped_on_two_nodes(world: KubernetesWorld, cluster: ScriptedCluster) -> None:
    """A training that is aborted while it runs, and one that stays."""
    for name in ("stopped", "several"):
        cluster.script.held.add(name)
        source = {"training": TRAINING | {"nodes": 2}}
        apply_version(world.person, "chat", name, source=source)
        await until(world.cache, {name: "Training"})
        await until_holds(lambda n=name: bool(_jobs(world, n)), what=f"a Job of {name}")
    world.person.patch(MODEL_VERSIONS, "stopped", {"spec": {"desiredState": "Aborted"}})
    await until_holds(lambda: not _jobs(world, "stopped"), what="the Job is stopped")


def _jobs(world: KubernetesWorld, version: str) -> list[str]:
    jobs = world.cache.of_model(JOBS, "chat")
    return [j["metadata"]["name"] for j in jobs if j["metadata"]["name"].startswith(version)]


async def _finalizers(world: KubernetesWorld) -> None:
    """A manifest from local mode brings ours along; it is taken off."""
    metadata = {"name": "brought", "finalizers": [FINALIZER]}
    spec = {"model": "brought", "source": {"random": {}}}
    world.person.create(MODELS, {"metadata": metadata, "spec": {}})
    world.person.create(MODEL_VERSIONS, {"metadata": metadata, "spec": spec})
    await until_holds(lambda: world.cache.get(MODEL_VERSIONS, "brought") is not None)
    for kind in (MODEL_VERSIONS, MODELS):
        world.person.delete(kind, "brought")
        await until_holds(lambda k=kind: world.cache.get(k, "brought") is None, what="released")


async def _pinned(world: KubernetesWorld, version: str | None) -> None:
    """To a version that is not there, or to none."""
    world.person.patch(MODELS, "chat", {"spec": {"pinnedVersion": version}})
    wanted = "False" if version is None else "True"

    def said() -> bool:
        status = (world.cache.get(MODELS, "chat") or {})["status"]
        return {c["type"]: c["status"] for c in status["conditions"]}["Stalled"] == wanted

    await until_holds(said, what=f"pinned to {version}")


def _counted(world: KubernetesWorld) -> bool:
    events = world.person.list(EVENTS)
    return any((event.get("series") or {}).get("count", 0) > 1 for event in events)
