"""Leaving in order: rollback, drain, retirement, deletion; and fixed splits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import a_model, a_model_version, a_route, a_snapshot, at, backend_of, routes_of
from decided import decided

from slipway_contracts.conditions import Phase, Reason
from slipway_operator.core.draft import Draft
from slipway_operator.core.snapshot import RoutesObservation
from slipway_operator.core.traffic import route_for


def stable():
    return a_model_version("v1").serving_since()


def leaving(drain: float | None = None):
    version = a_model_version("v2").canary().leaving()
    return version.with_rollout(drain_started_at=at(drain)) if drain is not None else version


def stored_before():
    """The route still gives the candidate its share."""
    return a_route((leaving(), 10, "candidate"), (stable(), 90, "stable"), salt="uid-v2")


DRAINS = [
    pytest.param(None, 1, {}, None, True, id="7-waits-for-the-gateways"),
    pytest.param(-1, 1, {"v2": 2}, None, True, id="17-26-waits-for-its-streams"),
    pytest.param(-1, 1, None, None, True, id="nothing-known-about-streams"),
    pytest.param(0, 0, {}, None, True, id="counted-before-the-routes-were-applied"),
    pytest.param(-1, 1, {}, "RolledBack/AnalysisFailed", False, id="drained"),
    pytest.param(-30, 1, {"v2": 2}, "RolledBack/AnalysisFailed", False, id="drain-seconds-over"),
    pytest.param(-30, 1, None, "RolledBack/AnalysisFailed", False, id="unknown-but-time-over"),
]


@pytest.mark.parametrize(("began", "seconds", "in_flight", "outcome", "listed"), DRAINS)
def test_17_a_backend_goes_after_its_traffic(began, seconds, in_flight, outcome, listed):
    changes = {"routes": routes_of(stored_before(), applied=6)} if began is None else {}
    result = decided(
        a_snapshot(a_model(), stable(), leaving(began), in_flight=in_flight, **changes)
    )
    assert result.weights == {"v1": 100}
    assert result.outcome() == outcome
    assert ("v2" in result.listed) == listed


def test_the_drain_begins_when_the_routes_are_applied():
    result = decided(a_snapshot(a_model(), stable(), leaving(), in_flight={"v2": 1}))
    assert result.status().rollout.drain_started_at == at(0)
    assert result.decision.requeue_after <= 0.25


@pytest.mark.parametrize(
    ("seconds", "begun"),
    [pytest.param(9, False, id="its-fence-is-not-sure"), pytest.param(11, True, id="fenced")],
)
def test_a_rollback_goes_on_without_any_gateway(seconds, begun):
    routes = routes_of(stored_before(), gateways=0)
    result = decided(a_snapshot(a_model(), stable(), leaving(), seconds=seconds, routes=routes))
    assert result.weights == {"v1": 100}
    assert (result.status().rollout.drain_started_at is not None) == begun


def test_a_version_is_rolled_back_once():
    over = leaving(-1)
    done = decided(a_snapshot(a_model(), stable(), over))
    later = over.with_status(**dict(done.status()))
    again = decided(a_snapshot(a_model(), stable(), later, backends=(backend_of(stable()),)))
    assert again.outcome() == "RolledBack/AnalysisFailed"
    assert [event for event in again.decision.events if event.name == "v2"] == []


# retirement and deletion


def test_a_retired_version_drains_and_is_gone():
    first = decided(a_snapshot(a_model(), stable().desired("Retired"), in_flight={"v1": 1}))
    assert first.phase("v1") == "Terminating"
    assert first.weights == {} and first.listed == {"v1"}
    assert first.model_said("Ready") == "False/NotServing"
    gone = stable().with_status(**dict(first.status("v1"))).with_rollout(drain_started_at=at(-1))
    done = decided(a_snapshot(a_model(), gone.desired("Retired")))
    assert done.phase("v1") == "Retired"
    assert done.listed == set()


def test_30_deleting_the_serving_version_resurrects_nobody():
    old = stable().ended(Phase.SUPERSEDED, Reason.SUPERSEDED)
    new = a_model_version("v2").serving_since(-500).deleted()
    first = decided(
        a_snapshot(a_model(), old, new, backends=(backend_of(new),), in_flight={"v2": 1})
    )
    assert first.phase() == "Terminating"
    assert first.weights == {} and first.listed == {"v2"}
    assert first.decision.release_versions == ()
    drained = new.with_status(**dict(first.status())).with_rollout(drain_started_at=at(-1))
    unlisted = decided(a_snapshot(a_model(), old, drained, backends=(backend_of(new),)))
    assert unlisted.listed == set()
    assert unlisted.decision.release_versions == ()  # its backend is still seen
    done = new.with_status(**dict(unlisted.status()))
    released = decided(a_snapshot(a_model(), old, done, backends=()))
    assert released.decision.release_versions == ("v2",)


def test_30_a_backend_that_will_not_go_does_not_hold_the_finalizer_for_ever():
    over = a_model_version("v2").deleted().serving_since().ended(Phase.RETIRED, Reason.RETIRED)
    seen = (backend_of(over, "stopping"),)
    assert decided(a_snapshot(a_model(), over, backends=seen)).decision.release_versions == ()
    late = decided(a_snapshot(a_model(), over, backends=seen, seconds=61))
    assert late.decision.release_versions == ("v2",)


def test_30_a_gateway_that_does_not_confirm_holds_a_deletion_only_so_long():
    version = leaving().deleted()
    routes = routes_of(stored_before(), applied=6)
    held = decided(a_snapshot(a_model(), stable(), version, routes=routes, seconds=89))
    assert held.outcome() is None
    boxed = decided(a_snapshot(a_model(), stable(), version, routes=routes, seconds=90))
    assert boxed.outcome() is not None


@pytest.mark.parametrize(
    "version",
    [
        pytest.param(a_model_version("v2"), id="new"),
        pytest.param(a_model_version("v2").with_artifact(), id="queued"),
        pytest.param(a_model_version("v2").with_slot(), id="deploying"),
    ],
)
def test_30_what_never_had_traffic_is_released_at_once(version):
    result = decided(
        a_snapshot(a_model(), stable(), version.deleted(), backends=(backend_of(stable()),))
    )
    assert result.decision.release_versions == ("v2",)
    assert result.decision.runs == ()


def test_30_deleting_the_model_drains_everything_then_releases_it():
    model, version = a_model().deleted(), a_model_version("v2").canary()
    first = decided(a_snapshot(model, stable(), version, in_flight={"v1": 1, "v2": 1}))
    assert first.weights == {} and first.listed == {"v1", "v2"}
    assert first.decision.route is not None and not first.decision.release_model
    drained = [
        b.with_status(**dict(first.status(b.name))).with_rollout(drain_started_at=at(-1))
        for b in (stable(), version)
    ]
    seen = tuple(backend_of(v) for v in drained)
    unlisted = decided(a_snapshot(model, *drained, backends=seen))
    assert unlisted.decision.route is None and unlisted.listed == set()
    assert not unlisted.decision.release_model
    over = [v.with_status(**dict(unlisted.status(v.name))) for v in drained]
    released = decided(a_snapshot(model, *over, backends=(), routes=RoutesObservation()))
    assert released.decision.release_model
    assert released.outcome("v1") == "Retired/Retired"


def test_30_a_namespace_that_goes_is_released_at_once():
    going = a_snapshot(
        a_model().deleted(), stable().deleted(), a_model_version("v2").canary().deleted()
    )
    result = decided(replace(going, namespace_terminating=True))
    assert set(result.decision.release_versions) == {"v1", "v2"}
    assert result.decision.release_model
    assert result.listed == set()


def test_30_without_its_model_a_deleted_version_is_released():
    result = decided(a_snapshot(None, stable().deleted(), backends=()))
    assert result.decision.release_versions == ("v1",)
    whole = replace(a_snapshot(None, stable().deleted(), backends=()), namespace_terminating=True)
    assert not decided(whole).decision.release_model


# fixed splits


def split(*versions, model=None, **changes):
    return decided(a_snapshot(model or a_model().split(v1=60, v2=40), *versions, **changes))


def member(name="v2"):
    return a_model_version(name).with_artifact().with_rollout(started_at=at(0))


def test_a_split_routes_exactly_those_versions():
    result = split(stable(), member())
    assert result.weights == {"v1": 60, "v2": 40}
    assert {b.role for b in result.decision.route.backends} == {"fixed"}
    assert result.decision.route.salt == "uid-chat"
    assert result.phase() == "Serving"
    assert result.said("CandidateReady") == "True/BackendReady"


def test_a_split_deploys_its_versions_and_refuses_rollouts():
    fresh = a_model_version("v2").with_artifact()
    other = a_model_version("v3").with_artifact()
    result = split(stable(), fresh, other, backends=(backend_of(stable()),))
    assert result.listed == {"v1", "v2"}
    assert result.weights == {"v1": 100}  # its share goes to the others until it answers
    assert result.phase() == "Deploying"
    assert result.said("CandidateReady", "v3") == "False/FixedTraffic"


def test_a_split_waits_for_versions_that_are_not_there_yet():
    result = split(stable(), a_model_version("v2"))
    assert result.weights == {"v1": 100}
    assert result.phase() == "Training"
    gated = a_model_version("v2").with_artifact()
    gated = gated.evaluation(suites=[{"name": "held", "kind": "heldout"}])
    assert split(stable(), gated).phase() == "Evaluating"
    assert split(stable()).weights == {"v1": 100}


def test_a_split_brings_a_superseded_member_back():
    old = stable().ended(Phase.SUPERSEDED, Reason.SUPERSEDED)
    new = a_model_version("v2").serving_since(-500)
    result = split(old, new, backends=(backend_of(new),))
    assert result.listed == {"v1", "v2"}
    assert result.weights == {"v2": 100}


def test_a_member_that_is_over_for_good_gets_nothing():
    over = a_model_version("v2").canary().ended(Phase.ROLLED_BACK, Reason.ABORTED)
    assert split(stable(), over).weights == {"v1": 100}


def test_a_split_ends_a_rollout_that_it_does_not_name():
    result = split(stable(), a_model_version("v2").canary(), model=a_model().split(v1=100))
    assert result.ending() == "RolledBack/FixedTraffic"
    assert result.weights == {"v1": 100}


def test_a_candidate_that_a_split_names_joins_it():
    result = split(stable(), a_model_version("v2").canary())
    assert result.weights == {"v1": 60, "v2": 40}
    assert result.status().slot_taken_at is None


@pytest.mark.parametrize(
    ("model", "weights", "ending"),
    [
        pytest.param(a_model().split(v2=100), {"v2": 100}, "Superseded/Superseded", id="not-named"),
        pytest.param(a_model().split(v1=50, v2=50), {"v1": 50, "v2": 50}, None, id="named"),
    ],
)
def test_a_split_ends_the_watch(model, weights, ending):
    result = split(stable(), a_model_version("v2").watched(), model=model, in_flight={"v1": 1})
    assert result.weights == weights
    assert result.ending("v1") == ending
    assert result.status().slot_taken_at is None


def test_a_split_without_a_stable_version():
    result = split(member("v1"), member("v2"))
    assert result.weights == {"v1": 60, "v2": 40}
    assert result.decision.model_status.stable is None


def test_when_the_split_is_over_stable_serves_on_and_the_others_leave():
    result = split(stable(), member(), model=a_model(), in_flight={"v2": 1})
    assert result.weights == {"v1": 100}
    assert result.ending() == "Superseded/Superseded"


def test_when_the_split_is_over_and_nothing_was_stable_the_larger_share_serves():
    stored = a_route((member("v1"), 40, "fixed"), (member("v2"), 60, "fixed"))
    result = split(
        member("v1"), member("v2"), model=a_model(), routes=routes_of(stored), in_flight={"v1": 1}
    )
    assert result.weights == {"v2": 100}
    assert result.ending("v1") == "Superseded/Superseded"
    without = split(member("v1"), model=a_model(), routes=RoutesObservation())
    assert without.weights == {"v1": 100}


def test_a_member_that_a_split_drops_leaves_while_the_split_goes_on():
    result = split(
        stable(), member("v2"), member("v3"), model=a_model().split(v1=50, v2=50),
        in_flight={"v3": 1},
    )  # fmt: skip
    assert result.ending("v3") == "Superseded/Superseded"
    assert result.weights == {"v1": 50, "v2": 50}


def test_a_member_may_be_aborted():
    result = split(stable(), member().desired("Aborted"), in_flight={"v2": 1})
    assert result.ending() == "RolledBack/Aborted"
    assert result.weights == {"v1": 100}


def test_a_share_of_nothing_is_not_routed():
    result = split(stable(), member(), model=a_model().split(v1=100, v2=0))
    assert result.weights == {"v1": 100}


def test_an_empty_route_is_written_for_a_model_that_serves_nothing():
    snapshot = a_snapshot(a_model(), backends=())
    route = route_for(Draft.of(snapshot))
    assert route.backends == () and route.salt == "uid-chat"
    assert decided(snapshot).decision.route == route
    assert decided(snapshot).decision.requeue_after is None
