"""A Model's life on a real API server: trained, evaluated, served, promoted, rolled back."""

from __future__ import annotations

from full_life import ending_of, live, version_of
from kubernetes_world import KubernetesWorld
from operator_parts import Outside, operating
from scripted_cluster import ScriptedCluster

from slipway_operator.platforms.kubernetes.kinds import MODELS


async def test_a_first_version_a_promotion_and_a_rollback(
    world: KubernetesWorld, cluster: ScriptedCluster, outside: Outside
) -> None:
    outside.verdicts[version_of("chat", 3)] = "Fail"
    async with operating(world.api, world.cache, outside):
        await live(world.person, world.cache, "chat")
        ending = ending_of(world.cache, "chat")
    assert ending.phases == {"v1": "Superseded", "v2": "Serving", "v3": "RolledBack"}
    assert ending.children["rayservices"] == {"v2": 1}
    model = world.person.get(MODELS, "chat")
    assert model["status"]["stable"] == version_of("chat", 2)
    routes = [route.backends for route in outside.routes.written]
    weights = [[(entry.role, entry.weight) for entry in route] for route in routes if route]
    assert weights[0] == [("stable", 100)]
    assert [10, 90] in [[weight for _, weight in route] for route in weights]
    assert weights[-1] == [("stable", 100)]
