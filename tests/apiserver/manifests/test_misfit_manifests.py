"""What only the operator can refuse: a condition within seconds, naming field and fix."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from full_life import until_holds
from kubernetes_world import KINDS, KubernetesWorld
from misfit_manifests import MISFITS, Misfit
from operator_parts import Outside, operating

# The bar, by the API server's own clock; it is given whole seconds.
BAR_SECONDS = 2.0


@pytest.mark.parametrize("misfit", MISFITS, ids=[row.id for row in MISFITS])
async def test_a_misfit_is_told(world: KubernetesWorld, outside: Outside, misfit: Misfit) -> None:
    async with operating(world.api, world.cache, outside):
        made = [world.person.create(KINDS[body["kind"]], body) for body in misfit.applied]
        kind, name = KINDS[made[-1]["kind"]], made[-1]["metadata"]["name"]

        def said() -> dict[str, Any]:
            status = (world.cache.get(kind, name) or {}).get("status") or {}
            found = {c["type"]: c for c in status.get("conditions", [])}
            return found.get(misfit.condition, {})

        await until_holds(lambda: said().get("reason") == misfit.reason, what=misfit.id)
    assert said()["status"] == misfit.status
    for part in misfit.says:
        assert part in said()["message"]
    created = datetime.fromisoformat(made[-1]["metadata"]["creationTimestamp"])
    told = datetime.fromisoformat(said()["lastTransitionTime"])
    assert (told - created).total_seconds() <= BAR_SECONDS + 1
