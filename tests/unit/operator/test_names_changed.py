"""A burst of changes of one Model is told once; what there was at first is told at once."""

from __future__ import annotations

import asyncio

from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.kinds import MODELS, Body
from slipway_operator.platforms.kubernetes.names_changed import NamesChanged


def a_model(name: str, version: int) -> Body:
    return {"metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}}


async def test_a_burst_is_one_name_and_a_later_change_another() -> None:
    cache = Cache()
    cache.put(MODELS, a_model("old", 1))
    with NamesChanged(cache) as names:
        for version in range(2, 6):
            cache.put(MODELS, a_model("busy", version))
        cache.put(MODELS, a_model("other", 6))
        assert [await names.next() for _ in range(3)] == ["old", "busy", "other"]
        waiting = asyncio.create_task(names.next())
        await asyncio.sleep(0)
        assert not waiting.done()
        cache.put(MODELS, a_model("busy", 7))
        assert await waiting == "busy"
