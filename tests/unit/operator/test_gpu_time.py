"""How many GPUs versions hold, from what their backends are asked to be."""

from __future__ import annotations

from typing import Any

import pytest

from slipway_contracts.serving import Serving
from slipway_operator.core.decision import ArtifactRef, DesiredBackend
from slipway_operator.platforms.gpu_time import gpus_held


def backend(version: str = "v1", **serving: Any) -> DesiredBackend:
    return DesiredBackend(
        name=f"{version}-x",
        version=version,
        model="m",
        artifact=ArtifactRef(uri="file:///a", digest="sha256:" + "0" * 64),
        serving=Serving.model_validate(serving),
    )


@pytest.mark.parametrize(
    ("serving", "held"),
    [
        ({}, {}),
        ({"resources": {"gpu": 2}}, {"v1": 2}),
        ({"resources": {"gpu": 2}, "replicas": {"min": 3, "max": 3}}, {"v1": 6}),
        ({"resources": {"gpu": 2}, "replicas": {"min": 1, "max": 3}}, {"v1": 2}),
        ({"resources": {"gpu": 4}, "engine": {"tensorParallelSize": 8}}, {"v1": 8}),
    ],
    ids=["cpu", "one replica", "three", "autoscaled, none seen", "spread over pods"],
)
def test_gpus_of_a_version(serving: dict[str, Any], held: dict[str, int]) -> None:
    assert gpus_held([backend(**serving)], {}) == held


@pytest.mark.parametrize(
    ("ready", "gpus"), [(0, 2), (1, 2), (2, 4), (4, 8), (9, 8)], ids=lambda number: str(number)
)
def test_autoscaled_replicas_are_those_that_were_seen(ready: int, gpus: int) -> None:
    """Between the least and the most that the autoscaler may have."""
    one = backend(resources={"gpu": 2}, replicas={"min": 1, "max": 4})
    assert gpus_held([one], {"v1-x": ready, "other": 3}) == {"v1": gpus}


def test_backends_of_one_version_add_up() -> None:
    one = {"resources": {"gpu": 1}}
    assert gpus_held([backend(**one), backend(**one), backend("v2", **one)], {}) == {
        "v1": 2,
        "v2": 1,
    }
