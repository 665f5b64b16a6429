"""The order in which a pass remembers: what cuts it between two writes loses no rollout."""

import pytest
from builders import a_model, a_model_version, a_snapshot, judged
from memory_platform import MemoryObjects, MemoryPlatform

from slipway_operator.reconcile import Platform, Reconciler


class Died(Exception):
    pass


class Dying(MemoryObjects):
    """Takes one status, then the operator is gone."""

    async def write_version_status(self, version, status):
        if status != version.status:
            self.first = version.metadata.name
        raise Died


async def first_remembered(snapshot):
    objects = Dying()
    parts = MemoryPlatform(objects=objects)
    platform = Platform(
        objects=objects,
        events=parts.events,
        runs=parts.runs,
        backends=parts.backends,
        routes=parts.routes,
    )

    async def observe(name):
        return snapshot

    with pytest.raises(Died):
        await Reconciler(platform=platform, observe=observe)("chat")
    return objects.first


async def test_whose_rollout_it_is_comes_before_those_who_tell_of_their_share():
    v1 = a_model_version("v1").serving_since()
    v2 = a_model_version("v2").created(5).canary(0, since=-100)
    snapshot = a_snapshot(a_model(), v1, v2, analysis=judged("Pass", version="v2"))
    assert await first_remembered(snapshot) == "v2"


async def test_who_takes_over_comes_before_who_goes():
    v1 = a_model_version("v1").serving_since()
    v2 = a_model_version("v2").created(5).canary(1, since=-100)
    snapshot = a_snapshot(a_model(), v1, v2, analysis=judged("Pass", version="v2"))
    assert await first_remembered(snapshot) == "v2"
