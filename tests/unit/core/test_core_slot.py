"""The rollout slot, the candidate's backend, and the room that it needs."""

from __future__ import annotations

import pytest
from builders import a_model, a_model_version, a_snapshot, at, backend_of
from decided import decided

from slipway_contracts.conditions import Phase, Reason


def stable():
    return a_model_version("v1").serving_since()


def waiting(name="v2", seconds=0.0):
    return a_model_version(name).with_artifact().created(seconds)


# who gets it


def test_11_23_first_come_first_served_the_others_queue():
    versions = (waiting("v4", 3), waiting("v3", 2), waiting("v2", 5))
    result = decided(a_snapshot(a_model(), stable(), *versions))
    assert result.status("v3").slot_taken_at is not None
    assert result.listed == {"v1", "v3"}
    for name in ("v2", "v4"):
        assert result.said("Accepted", name) == "True/Accepted"
        assert result.said("CandidateReady", name) == "False/AnotherRolloutActive"
        assert "v3" in result.condition("CandidateReady", name).message
        assert result.phase(name) == "Pending"
    assert result.decision.model_status.candidate == "v3"


def test_23_two_of_one_moment_go_by_name():
    result = decided(a_snapshot(a_model(), waiting("b"), waiting("a")))
    assert result.status("a").slot_taken_at is not None
    assert result.status("b").slot_taken_at is None


HELD_BY = [
    pytest.param(a_model_version("v3").canary(), id="canary"),
    pytest.param(a_model_version("v3").watched(), id="watch"),
    pytest.param(a_model_version("v3").canary().leaving(), id="rolling-back"),
]


@pytest.mark.parametrize("holder", HELD_BY)
def test_the_slot_is_held_through_watch_and_drain(holder):
    busy = {"v1": 1, "v2": 0, "v3": 1}
    result = decided(a_snapshot(a_model(), stable(), holder, waiting(), in_flight=busy))
    assert result.said("CandidateReady") == "False/AnotherRolloutActive"


def test_the_slot_is_held_until_the_old_version_is_drained():
    old, new = stable().leaving(Phase.SUPERSEDED), a_model_version("v3").watched()
    result = decided(a_snapshot(a_model(), old, new, waiting(), in_flight={"v1": 1}))
    assert result.said("CandidateReady") == "False/AnotherRolloutActive"
    drained = old.with_rollout(drain_started_at=at(-5))
    result = decided(a_snapshot(a_model(), drained, new, waiting()))
    assert result.outcome("v1") == "Superseded/Superseded"
    assert result.phase() == "Deploying"


OBSTACLES = [
    pytest.param(a_model(), waiting().desired("Paused"), "False/Paused", id="paused"),
    pytest.param(a_model().pinned("v1"), waiting(), "False/Pinned", id="pinned-to-another"),
]


@pytest.mark.parametrize(("model", "version", "said"), OBSTACLES)
def test_what_keeps_a_version_from_the_slot(model, version, said):
    result = decided(a_snapshot(model, stable(), version))
    assert result.said("CandidateReady") == said
    assert result.status().slot_taken_at is None


def test_a_pin_on_a_version_that_does_not_exist_blocks_nobody():
    result = decided(a_snapshot(a_model().pinned("v9"), stable(), waiting()))
    assert result.phase() == "Deploying"


def test_should_two_hold_the_slot_the_later_one_steps_back():
    first = a_model_version("v2").with_slot(5)
    second = a_model_version("v3").with_slot(9)
    result = decided(a_snapshot(a_model(), stable(), second, first, seconds=10))
    assert result.decision.model_status.candidate == "v2"
    assert result.said("CandidateReady", "v3") == "False/AnotherRolloutActive"


# the backend


def deploying(state=None, seconds=0.0, version=None, **changes):
    version = version or a_model_version("v2").with_slot()
    backends = (backend_of(stable()),)
    if state is not None:
        backends += (backend_of(version, state, **changes),)
    return decided(a_snapshot(a_model(), stable(), version, backends=backends, seconds=seconds))


@pytest.mark.parametrize("state", [None, "starting", "stopping", "unhealthy"])
def test_a_backend_that_is_not_ready_yet_is_waited_for(state):
    result = deploying(state)
    assert result.said("CandidateReady") == "False/Starting"
    assert result.said("Stalled") == "False/InProgress"
    assert result.weights == {"v1": 100}
    assert result.listed == {"v1", "v2"}


def test_a_backend_that_never_gets_ready_fails_at_max_duration():
    assert deploying("starting", seconds=7201).outcome() == "Failed/DeadlineExceeded"


def test_28_no_capacity_is_said_at_once_and_acted_on_after_the_timeout():
    version = a_model_version("v2").with_slot().serving(capacityTimeout="5m")
    version = version.with_slot()
    first = deploying("no_capacity", version=version, message="0/3 nodes have room")
    assert first.said("Stalled") == "True/InsufficientCapacity"
    assert first.said("CandidateReady") == "False/InsufficientCapacity"
    assert first.model_said("Stalled") == "True/InsufficientCapacity"
    assert first.outcome() is None
    assert first.status().capacity_wait_since == at(0)
    later = version.with_status(capacity_wait_since=at(0))
    assert deploying("no_capacity", version=later, seconds=299).outcome() is None
    over = deploying("no_capacity", version=later, seconds=301)
    assert over.outcome() == "Failed/InsufficientCapacity"
    assert over.weights == {"v1": 100}
    assert over.listed == {"v1"}
    assert over.said("Stalled") is None


def test_28_room_that_comes_in_time_ends_the_wait():
    version = a_model_version("v2").with_slot().with_status(capacity_wait_since=at(0))
    result = deploying("starting", version=version, seconds=30)
    assert result.status().capacity_wait_since is None
    assert result.said("Stalled") == "False/InProgress"


FAILURES = [
    pytest.param(None, "", "Failed/StartupFailed", None, id="unknown"),
    pytest.param(Reason.IMAGE_PULL, "not found", "Failed/ImagePull", None, id="image-pull"),
    pytest.param(
        Reason.DIGEST_MISMATCH,
        "a byte changed",
        "Failed/DigestMismatch",
        "False/DigestMismatch",
        id="changed-byte",
    ),
]


@pytest.mark.parametrize(("reason", "message", "outcome", "verified"), FAILURES)
def test_a_backend_that_fails_before_any_traffic(reason, message, outcome, verified):
    result = deploying("failed", reason=reason, message=message)
    assert result.outcome() == outcome
    assert result.phase() == "Failed"
    assert result.listed == {"v1"}
    if verified:
        assert result.said("ArtifactVerified") == verified


# the room: replicas, Recreate


def test_the_candidate_gets_the_replicas_that_its_next_weight_needs():
    version = a_model_version("v2").serving(replicas={"min": 1, "max": 8}).canary(step=0)
    backends = (backend_of(stable(), replicas=6), backend_of(version))
    result = decided(a_snapshot(a_model(), stable(), version, backends=backends))
    wanted = {b.version: b.replicas for b in result.decision.backends}
    assert wanted["v2"] == 3  # half of six


def test_14_stable_keeps_what_all_traffic_needs_and_the_candidate_is_bounded():
    old = a_model_version("v1").serving(replicas={"min": 1, "max": 8}).serving_since()
    new = a_model_version("v2").serving(replicas={"min": 1, "max": 2}).canary(step=1)
    backends = (backend_of(old, replicas=6), backend_of(new, replicas=2))
    result = decided(a_snapshot(a_model(), old, new, backends=backends))
    wanted = {b.version: b.replicas for b in result.decision.backends}
    assert wanted == {"v1": 6, "v2": 2}
    scaled_down = (backend_of(old, replicas=0), backend_of(new))
    result = decided(a_snapshot(a_model(), old, new, backends=scaled_down))
    assert {b.version: b.replicas for b in result.decision.backends}["v1"] == 1


MODEL = a_model()


def room(old, new, *, backends, seconds=0.0, in_flight=None):
    return decided(
        a_snapshot(MODEL, old, new, backends=backends, seconds=seconds, in_flight=in_flight or {})
    )


def test_recreate_drains_stable_before_it_starts_the_candidate():
    new = a_model_version("v2").serving(mode="Recreate").with_slot()
    old = stable()
    begun = room(old, new, backends=(backend_of(old),), in_flight={"v1": 2})
    assert begun.weights == {}
    assert begun.listed == {"v1"}
    drained = old.with_rollout(drain_started_at=at(-1))
    gone = room(drained, new, backends=(backend_of(old),))
    assert gone.listed == set()
    started = room(drained, new, backends=())
    assert started.listed == {"v2"}
    ready = room(drained, new, backends=(backend_of(new),))
    assert ready.weights == {"v2": 100}
    assert ready.outcome("v1") == "Superseded/Superseded"
    assert ready.said("Promoted") == "True/Promoted"


def test_recreate_that_fails_brings_stable_back():
    new = a_model_version("v2").serving(mode="Recreate").with_slot()
    drained = stable().with_rollout(drain_started_at=at(-1))
    result = room(drained, new, backends=(backend_of(new, "failed"),))
    assert result.outcome() == "Failed/StartupFailed"
    assert result.listed == {"v1"}
    assert result.status("v1").rollout.drain_started_at is None
