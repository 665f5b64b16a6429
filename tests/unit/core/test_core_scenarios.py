"""Whole lives, pass by pass, in a fake world: what a person would see from apply to the end."""

from __future__ import annotations

import pytest
from builders import a_model, a_model_version, judged
from lifecycle_world import World

from slipway_operator.core.snapshot import Analysis

RULES = {
    "steps": [{"weight": 10, "minDuration": "5s"}, {"weight": 50, "minDuration": "5s"}],
    "postPromotionWatch": "10s",
}


def a_world(*names: str, **model) -> World:
    world = World(model=a_model().rollout(**RULES).with_spec(**model).build())
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
    world.until(lambda w: weights.append(w.weights) or w.phases["v1"] == "Superseded")
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


def test_a_bad_version_is_rolled_back():
    world = serving(a_world(), "v1")
    world.apply(a_model_version("v2"))
    world.until(lambda w: w.weights.get("v2") == 10)
    world.turns(3)
    world.analysis = judged("Fail", version="v2")
    decision = world.turn()
    assert world.weights == {"v1": 100}
    assert world.phases["v2"] == "RollingBack"
    assert any(b.version == "v2" for b in decision.backends)
    world.until(lambda w: w.phases["v2"] == "RolledBack")
    assert [b.version for b in world.backends.values()] == ["v1"]
    assert world.versions["v2"].status.outcome.reason == "AnalysisFailed"


STORY = {
    "evaluation": {
        "suites": [
            {"name": "held", "kind": "heldout"},
            {"name": "answers", "kind": "endpoint"},
        ],
        "gates": [
            {"metric": "held.loss", "max": 9, "maxRelativeIncrease": 0.02},
            {"metric": "answers.success", "min": 1.0},
        ],
    },
    "rollout": {
        "steps": [{"weight": 10, "minDuration": "20s"}, {"weight": 50, "minDuration": "20s"}],
        "postPromotionWatch": "30s",
    },
}


def test_the_story_of_the_demo():
    """v1 first, v2 by shadow and canary, v3 rolled back on evidence, v4 never gets a pod."""
    world = a_world(**STORY)
    serving(world, "v1")
    world.apply(a_model_version("v2").rollout(shadow={"minDuration": "20s", "minRequests": 20}))
    world.until(lambda w: w.phases["v2"] == "Shadowing")
    assert world.route.shadow.version == "v2"
    world.analysis = Analysis(version="v2", shadow_requests=30)
    world.until(lambda w: w.phases["v2"] == "Canary")
    world.analysis = judged("Pass", version="v2")
    world.until(lambda w: w.phases["v1"] == "Superseded")
    assert world.reason("v2", "EvaluationPassed") == "EvaluationPassed"

    world.apply(a_model_version("v3"))
    world.losses["v4"] = 5.0
    world.apply(a_model_version("v4").created(1))
    world.until(lambda w: w.weights.get("v3") == 10)
    world.analysis = judged("Fail", version="v3")
    world.until(lambda w: w.phases["v3"] == "RolledBack")
    assert world.phases["v2"] == "Serving" and world.weights == {"v2": 100}
    assert world.phases["v4"] == "Rejected"
    assert all(b.version != "v4" for d in world.history for b in d.backends)


def test_10_11_quick_changes_of_mind_leave_one_candidate_at_most():
    world = serving(a_world(), "v1")
    for name in ("v2", "v3", "v4"):
        world.apply(a_model_version(name).created(int(name[1])))
    world.turns(3)
    assert world.phases["v2"] == "Canary"
    world.apply(a_model_version("v2").created(2).desired("Aborted"))
    world.until(lambda w: w.phases["v3"] == "Canary")
    assert world.phases["v2"] == "RolledBack"
    assert world.reason("v4", "CandidateReady") == "AnotherRolloutActive"
    listed = {frozenset(b.version for b in d.backends) for d in world.history}
    assert max(len(versions) for versions in listed) == 2


def test_15_a_retry_after_a_rollback_starts_over():
    world = serving(a_world(), "v1")
    world.apply(a_model_version("v2"))
    world.until(lambda w: w.weights.get("v2") == 10)
    world.analysis = judged("Fail", version="v2")
    world.until(lambda w: w.phases["v2"] == "RolledBack")
    world.analysis = judged("Pass", version="v2")
    world.apply(a_model_version("v2").retry("once-more"))
    world.until(lambda w: w.phases["v1"] == "Superseded")
    status = world.versions["v2"].status
    assert status.attempt_number == 2 and len(status.history) == 1
    makers = {run.name for d in world.history for run in d.runs if run.version == "v2"}
    assert len(makers) == 1  # the artifact was made once


def test_14_an_abort_leaves_stable_at_its_floor_at_least():
    world = a_world(serving={"replicas": {"min": 2, "max": 6}})
    world = serving(world, "v1")
    world.replicas["v1"] = 5
    world.apply(a_model_version("v2"))
    world.until(lambda w: w.weights.get("v2") == 10)
    world.apply(a_model_version("v2").desired("Aborted"))
    world.turns(5)
    wanted = [b.replicas for d in world.history for b in d.backends if b.version == "v1"]
    assert min(wanted) == 2
    bounded = [b.replicas for d in world.history for b in d.backends if b.version == "v2"]
    assert max(bounded) <= 6


@pytest.mark.parametrize("writes", range(9))
def test_18_killed_after_any_write_the_end_is_the_same(writes):
    world = serving(a_world(), "v1")
    world.apply(a_model_version("v2"))
    world.analysis = judged("Pass", version="v2")
    for _ in range(100):
        world.turn(0.5, writes=writes)  # killed in every pass, then once to the end
        world.turn(0.5)
        if world.phases["v1"] == "Superseded":
            break
    assert world.phases == {"v1": "Superseded", "v2": "Serving"}
    assert world.weights == {"v2": 100}
    names = {b.name for d in world.history for b in d.backends}
    assert len(names) == 2
    assert len({run.name for d in world.history for run in d.runs}) == 2


@pytest.mark.parametrize("watch", ["0s", "1s"])
def test_kills_before_an_end_is_remembered_move_nobody_back_and_rebuild_nothing(watch):
    world = a_world(rollout=RULES | {"postPromotionWatch": watch}, serving={"drainSeconds": 0})
    world = serving(world, "v1")
    world.apply(a_model_version("v2"))
    world.analysis = judged("Pass", version="v2")
    weights, kept = [], []
    for _ in range(100):
        for writes in (3, 3, 99):  # killed when the route is written, twice; then once to the end
            world.turn(0.5, writes=writes)
            weights.append(world.weights.get("v2", 0))
            kept.append("v1" in {backend.version for backend in world.backends.values()})
        if world.phases["v1"] == "Superseded":
            break
    world.turns(3)
    assert weights == sorted(weights)
    assert kept == sorted(kept, reverse=True)
    assert world.phases == {"v1": "Superseded", "v2": "Serving"}


def test_undo_and_back_to_rollouts():
    world = serving(a_world(), "v1")
    world.apply(a_model_version("v2"))
    world.analysis = judged("Pass", version="v2")
    world.until(lambda w: w.phases["v1"] == "Superseded")
    world.analysis = None
    world.apply_model(a_model().rollout(**RULES).pinned("v1"))
    world.until(lambda w: w.phases["v2"] == "Superseded")
    assert world.weights == {"v1": 100}
    world.apply(a_model_version("v3").created(9))
    world.turns(3)
    assert world.reason("v3", "CandidateReady") == "Pinned"
    world.apply_model(a_model().rollout(**RULES))
    world.until(lambda w: w.phases["v3"] == "Canary")


def test_28c_without_evidence_and_gateways_nothing_moves_and_then_it_goes_on():
    world = serving(a_world(), "v1")
    world.apply(a_model_version("v2"))
    world.until(lambda w: w.weights.get("v2") == 10)
    world.gateways = 0
    world.turns(90)
    assert world.weights == {"v2": 10, "v1": 90}
    assert world.reason("v2", "TrafficApplied") == "GatewayUnavailable"
    world.gateways = 2
    world.analysis = judged("Pass", version="v2")
    world.until(lambda w: w.weights.get("v2") == 50)
