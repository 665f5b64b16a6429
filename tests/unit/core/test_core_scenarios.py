"""Whole lives, pass by pass, in a fake world: what a person would see from apply to the end."""

from __future__ import annotations

import pytest
from builders import a_model, a_model_version, judged
from lifecycle_world import World


def a_world(*names: str, **model) -> World:
    world = World(model=a_model().with_spec(**model).build())
    for name in names:
        world.apply(a_model_version(name))
    return world


def serving(world: World, name: str) -> World:
    """Brings ``name`` up as the first version and lets its watch pass."""
    world.apply(a_model_version(name))
    world.until(lambda w: w.phases[name] == "Serving" and w.model.status.watch_until is None)
    return world


def test_the_first_version_goes_straight_to_all_traffic():
    world = a_world("v1")
    world.until(lambda w: w.phases["v1"] == "Serving")
    assert world.weights == {"v1": 100}
    assert world.model.status.stable == "v1"
    assert world.reason("v1", "Promoted") == "FirstVersion"


def test_a_good_version_climbs_and_is_promoted_without_a_rebuild():
    world = serving(a_world(), "v1")
    world.apply(a_model_version("v2"))
    world.analysis = judged("Pass", version="v2")
    weights = []
    world.until(lambda w: weights.append(w.weights) or w.phases["v1"] == "Superseded", limit=900)
    assert [w for i, w in enumerate(weights) if i == 0 or w != weights[i - 1]] == [
        {"v1": 100},
        {"v2": 10, "v1": 90},
        {"v2": 50, "v1": 50},
        {"v2": 95, "v1": 5},
        {"v2": 100},
    ]
    assert world.phases == {"v1": "Superseded", "v2": "Serving"}
    assert world.model.status.stable == "v2"
    built = [b for d in world.history for b in d.backends if b.version == "v2"]
    assert len({(b.name, b.artifact.digest, b.serving.model_dump_json()) for b in built}) == 1


@pytest.mark.parametrize("verdict", ["Fail"])
def test_a_bad_version_is_rolled_back(verdict):
    world = serving(a_world(), "v1")
    world.apply(a_model_version("v2"))
    world.until(lambda w: w.weights.get("v2") == 10)
    world.turns(3)
    world.analysis = judged(verdict, version="v2")
    decision = world.turn()
    assert world.weights == {"v1": 100}
    assert world.phases["v2"] == "RollingBack"
    assert any(b.version == "v2" for b in decision.backends)
    world.until(lambda w: w.phases["v2"] == "RolledBack")
    assert [b.version for b in world.backends.values()] == ["v1"]
    assert world.versions["v2"].status.outcome.reason == "AnalysisFailed"
