"""A whole life over a connection that answers badly ends as over a good one; nothing twice."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from bad_connection import BadConnection, Fault
from creations import creations
from full_life import ending_of, live, until_holds, version_of
from kubernetes_world import KubernetesWorld, kubernetes_world
from manifests import a_model
from operator_parts import Outside, operating
from scripted_cluster import ScriptedCluster

from slipway_cluster.controlplane import ControlPlane
from slipway_operator.platforms.kubernetes.kinds import MODELS

WHOLE = {"v1": "Superseded", "v2": "Serving", "v3": "RolledBack"}
# A relist every 20 s, and what the machine needs besides.
NOTICED_SECONDS = 30.0
FAULTS = {
    "refused": (Fault.CONFLICT, Fault.TOO_MANY),
    "unanswered": (Fault.LOST, Fault.RESET),
    "watches": (Fault.EXPIRED, Fault.CUT),
    "everything": (Fault.CONFLICT, Fault.TOO_MANY, Fault.LOST, Fault.RESET, Fault.EXPIRED),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_life_over_a_bad_connection(
    plane: ControlPlane,
    world: KubernetesWorld,
    cluster: ScriptedCluster,
    outside: Outside,
    tmp_path: Path,
    name: str,
) -> None:
    namespace = world.person.namespace
    outside.verdicts[version_of("chat", 3)] = "Fail"
    async with (
        BadConnection(plane, tmp_path) as door,
        kubernetes_world(plane, namespace, kubeconfig=door.kubeconfig) as mine,
    ):
        door.faults = FAULTS[name]
        async with operating(mine.api, mine.cache, outside):
            await live(world.person, world.cache, "chat")
        door.faults = ()
    ending = ending_of(world.cache, "chat")
    assert ending.phases == WHOLE
    assert ending.children["rayservices"] == {"v2": 1}
    assert set(door.met) == set(FAULTS[name])
    made = creations(plane, namespace)
    assert {key: times for key, times in made.items() if times > 1} == {}


async def test_a_watch_that_fell_silent_is_noticed(
    plane: ControlPlane, world: KubernetesWorld, tmp_path: Path
) -> None:
    namespace = world.person.namespace
    async with (
        BadConnection(plane, tmp_path, faults=(Fault.SILENT,), watch_odds=1.0) as door,
        kubernetes_world(plane, namespace, kubeconfig=door.kubeconfig) as mine,
    ):
        await until_holds(lambda: door.met[Fault.SILENT] >= 6, what="every watch is silent")
        world.person.create(MODELS, a_model("told"))
        began = time.monotonic()
        await until_holds(lambda: mine.cache.get(MODELS, "told") is not None, what="noticed")
        assert time.monotonic() - began <= NOTICED_SECONDS
        await until_holds(lambda: "silent" in mine.restarts.whys, what="streams opened anew")
