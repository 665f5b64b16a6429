"""Promotion, the watch after it, and the first version that has nothing to be compared with."""

from __future__ import annotations

import pytest
from builders import a_model, a_model_version, a_snapshot, at, backend_of, judged, routes_of
from decided import decided

from slipway_contracts.conditions import Phase, Reason
from slipway_contracts.rollout import Rollout
from slipway_operator.core.draft import Draft
from slipway_operator.core.effective import rollout_digest
from slipway_operator.core.traffic import route_for


def stable():
    return a_model_version("v1").serving_since()


def watched(since=0.0):
    return a_model_version("v2").watched(since)


def look(version, analysis=None, seconds=90.0, model=None, **changes):
    return decided(
        a_snapshot(
            model or a_model(), stable(), version, analysis=analysis, seconds=seconds, **changes
        )
    )


# promotion


def test_27_promotion_rebuilds_nothing_and_keeps_five_per_cent_on_the_old_version():
    before = look(a_model_version("v2").canary(1))
    after = look(a_model_version("v2").canary(1), judged("Pass"))
    assert after.weights == {"v2": 95, "v1": 5}
    assert after.listed == before.listed == {"v1", "v2"}
    name = {b.version: b.name for b in before.decision.backends}
    assert {b.version: b.name for b in after.decision.backends} == name
    route = after.decision.route
    assert [b.role for b in route.backends] == ["stable", "previous"]
    assert route.salt == "uid-v2"  # nobody moves who was on the candidate
    assert route.guard is None
    model = after.decision.model_status
    assert (model.stable, model.previous, model.candidate) == ("v2", "v1", None)
    assert after.phase() == "Promoting"
    assert after.said("Promoted") == "True/Promoted"
    assert after.status().rollout.step == 2


def test_a_promotion_is_one_write_of_one_status():
    """Killed between the two status writes: the Model's is a projection, made again."""
    promoted = look(a_model_version("v2").canary(1), judged("Pass")).status()
    version = a_model_version("v2").with_status(**dict(promoted))
    again = look(version, seconds=91)
    assert again.weights == {"v2": 95, "v1": 5}
    assert again.decision.model_status.stable == "v2"


def test_12_stable_is_broken_and_the_candidate_healthy():
    broken = (
        backend_of(stable(), "failed"),
        backend_of(a_model_version("v2").canary(1)),
    )
    result = look(a_model_version("v2").canary(1), judged("Pass"), backends=broken)
    assert result.decision.model_status.stable == "v2"
    assert result.weights == {"v2": 100}


def test_while_stable_does_not_answer_the_candidate_takes_what_it_cannot():
    gone = (backend_of(stable(), "starting"), backend_of(a_model_version("v2").canary(0)))
    result = look(a_model_version("v2").canary(0), backends=gone)
    assert result.weights == {"v2": 100}
    assert result.decision.route.guard is None
    unhealthy = (backend_of(stable(), "unhealthy"), backend_of(a_model_version("v2").canary(0)))
    assert look(a_model_version("v2").canary(0), backends=unhealthy).weights["v1"] == 90


@pytest.mark.parametrize(
    ("version", "promoted"),
    [
        pytest.param(a_model_version("v2").with_slot(), False, id="waits"),
        pytest.param(a_model_version("v2").with_slot().approved(), True, id="granted"),
    ],
)
def test_a_direct_rollout_asks_too(version, promoted):
    model = a_model().rollout(strategy="Direct", autoPromote=False)
    backends = (backend_of(stable()), backend_of(version))
    result = look(version, model=model, backends=backends)
    assert result.weights == ({"v2": 95, "v1": 5} if promoted else {"v1": 100})
    if not promoted:
        assert result.said("Promoted") == "False/AwaitingApproval"


def test_a_direct_rollout_skips_the_canary_and_keeps_the_watch():
    version = a_model_version("v2").with_slot()
    backends = (backend_of(stable()), backend_of(version))
    model = a_model().rollout(strategy="Direct")
    result = look(version, model=model, backends=backends)
    assert result.weights == {"v2": 95, "v1": 5}
    no_gateway = routes_of(route_for(Draft.of(a_snapshot(model, stable(), version))), gateways=0)
    held = look(version, model=model, backends=backends, routes=no_gateway)
    assert held.said("Promoted") == "False/GatewayUnavailable"
    assert held.weights == {"v1": 100}


# the watch


def test_the_watch_begins_when_the_gateways_apply_it():
    result = look(a_model_version("v2").watched(None), seconds=5)
    assert result.status().rollout.step_started_at == at(5)
    assert result.decision.model_status.watch_until == at(605)
    assert result.phase() == "Serving"


WATCHES = [
    pytest.param(None, 300, {"v2": 95, "v1": 5}, None, id="goes-on"),
    pytest.param(judged("NoData"), 601, {"v2": 100}, None, id="over"),
    pytest.param(judged("Fail"), 300, {"v1": 100}, "RolledBack/AnalysisFailed", id="fail"),
    pytest.param(
        judged("Fail", guard=True), 300, {"v1": 100}, "RolledBack/GuardTripped", id="guard"
    ),
]


@pytest.mark.parametrize(("analysis", "seconds", "weights", "ending"), WATCHES)
def test_the_watch(analysis, seconds, weights, ending):
    result = look(watched(), analysis, seconds, in_flight={"v1": 1, "v2": 1})
    assert result.weights == weights
    assert result.ending() == ending
    if ending:
        assert result.phase() == "RollingBack"
        assert result.decision.model_status.stable == "v1"
        assert result.decision.model_status.candidate == "v2"
        assert result.listed == {"v1", "v2"}


def test_after_the_watch_the_old_version_drains_and_is_superseded():
    over = look(watched(), None, 601, in_flight={"v1": 2})
    assert over.ending("v1") == "Superseded/Superseded"
    assert over.listed == {"v1", "v2"}
    assert over.status().slot_taken_at is not None
    old = stable().with_status(**dict(over.status("v1"))).with_rollout(drain_started_at=at(602))
    new = watched().with_status(**dict(over.status()))
    drained = decided(a_snapshot(a_model(), old, new, seconds=604))
    assert drained.outcome("v1") == "Superseded/Superseded"
    assert drained.listed == {"v2"}
    assert drained.status().slot_taken_at is None
    assert drained.decision.model_status.watch_until is None
    assert drained.phase("v1") == "Superseded"


def test_a_watch_of_no_time_drains_at_once():
    model = a_model().rollout(postPromotionWatch="0s")
    result = look(a_model_version("v2").watched(None), model=model, in_flight={"v1": 1})
    assert result.ending("v1") == "Superseded/Superseded"
    assert result.weights == {"v2": 100}


def test_a_pause_holds_the_watch():
    version = watched().desired("Paused").with_rollout(paused_since=at(100))
    assert look(version, None, 5000).weights == {"v2": 95, "v1": 5}
    resumed = watched().with_rollout(paused_since=at(100))
    result = look(resumed, None, 5000)
    assert result.weights == {"v2": 95, "v1": 5}
    assert result.decision.model_status.watch_until == at(600 + 4900)


LOST = [
    pytest.param("failed", 90, "RolledBack/BackendLost", id="broke"),
    pytest.param("starting", 90, None, id="may-come-back"),
    pytest.param("starting", 691, "RolledBack/BackendLost", id="did-not-come-back"),
]


@pytest.mark.parametrize(("state", "seconds", "ending"), LOST)
def test_a_new_version_that_is_lost_in_the_watch_goes_back(state, seconds, ending):
    version = watched().with_status(capacity_wait_since=at(90))
    backends = (backend_of(stable()), backend_of(version, state))
    result = look(version, None, seconds, backends=backends)
    assert result.ending() == ending
    assert result.weights == {"v1": 100}


def test_a_lost_version_that_comes_back_in_the_watch_is_forgiven():
    version = watched().with_status(capacity_wait_since=at(50))
    result = look(version)
    assert result.status().capacity_wait_since is None
    assert result.weights == {"v2": 95, "v1": 5}


def test_a_fail_with_no_old_version_to_go_back_to_serves_on_degraded():
    backends = (backend_of(stable(), "starting"), backend_of(watched()))
    result = look(watched(), judged("Fail"), backends=backends)
    assert result.said("Degraded") == "True/AnalysisFailed"
    assert result.weights == {"v2": 100}
    assert result.ending() is None
    assert result.ending("v1") == "Superseded/Superseded"


# the first version


def first(since: float | None = 0.0):
    return a_model_version("v1").watched(since, first=True)


def test_25_the_first_version_is_promoted_as_soon_as_it_answers():
    version = a_model_version("v1").with_slot()
    result = decided(a_snapshot(a_model(), version, backends=(backend_of(version),)))
    assert result.weights == {"v1": 100}
    assert result.said("Promoted", "v1") == "True/FirstVersion"
    assert result.status("v1").rollout.first
    assert result.decision.model_status.watch_until is not None


@pytest.mark.parametrize(
    ("analysis", "seconds", "degraded", "holds"),
    [
        pytest.param(judged("Continue"), 90, None, True, id="watched"),
        pytest.param(None, 601, "False/Healthy", False, id="over"),
        pytest.param(judged("Fail"), 90, "True/AnalysisFailed", False, id="degraded"),
    ],
)
def test_25_the_first_version_is_watched_and_serves_on(analysis, seconds, degraded, holds):
    result = decided(a_snapshot(a_model(), first(), analysis=analysis, seconds=seconds))
    assert result.weights == {"v1": 100}
    assert result.phase("v1") == "Serving"
    assert result.said("Degraded", "v1") == degraded
    assert (result.status("v1").slot_taken_at is not None) == holds
    said = "True/AnalysisFailed" if degraded == "True/AnalysisFailed" else "False/Healthy"
    assert result.model_said("Degraded") == said


def test_degraded_stays_until_the_next_version():
    version = a_model_version("v1").watched(first=True)
    failed = decided(a_snapshot(a_model(), version, analysis=judged("Fail"), seconds=5))
    later = version.with_status(**dict(failed.status("v1")))
    again = decided(a_snapshot(a_model(), later, seconds=5000))
    assert again.said("Degraded", "v1") == "True/AnalysisFailed"


# pins


def test_a_pin_on_a_superseded_version_brings_it_back_directly():
    model = a_model().pinned("v1")
    old = stable().ended(Phase.SUPERSEDED, Reason.SUPERSEDED)
    new = a_model_version("v2").serving_since(-500)
    called = decided(a_snapshot(model, old, new, backends=(backend_of(new),)))
    assert called.phase("v1") == "Deploying"
    assert called.listed == {"v1", "v2"}
    assert called.weights == {"v2": 100}
    back = old.with_status(**dict(called.status("v1")))
    ready = decided(
        a_snapshot(
            model, back, new, backends=(backend_of(new), backend_of(back)), in_flight={"v2": 3}
        )
    )
    assert ready.weights == {"v1": 100}
    assert ready.said("Promoted", "v1") == "True/PromotedByRequest"
    assert ready.ending("v2") == "Superseded/Superseded"


ENDS_BY_PIN = [
    pytest.param("v1", a_model_version("v2").canary(), "v2", "RolledBack/Pinned", id="canary"),
    pytest.param("v1", watched(), "v2", "RolledBack/Pinned", id="watch-back-to-the-old"),
]


@pytest.mark.parametrize(("pin", "version", "leaver", "ending"), ENDS_BY_PIN)
def test_a_pin_ends_what_is_under_way(pin, version, leaver, ending):
    result = look(version, model=a_model().pinned(pin))
    assert result.ending(leaver) == ending
    assert result.weights == {"v1": 100}


def test_a_pin_on_an_older_one_ends_the_watch_first():
    oldest = a_model_version("v0").serving_since(-5000).ended(Phase.SUPERSEDED, Reason.SUPERSEDED)
    result = decided(
        a_snapshot(
            a_model().pinned("v0"), oldest, stable(), watched(), in_flight={"v1": 1}, seconds=9
        )
    )
    assert result.ending("v1") == "Superseded/Superseded"
    assert result.weights == {"v2": 100}


NO_EFFECT = [
    pytest.param(
        a_model_version("v2").canary().ended(Phase.ROLLED_BACK, Reason.ANALYSIS_FAILED),
        id="rolled-back",
    ),
    pytest.param(
        a_model_version("v2").watched().ended(Phase.ROLLED_BACK, Reason.ANALYSIS_FAILED),
        id="rolled-back-in-the-watch",
    ),
    pytest.param(
        a_model_version("v2").serving_since().ended(Phase.SUPERSEDED, Reason.SUPERSEDED)
        .desired("Retired"),
        id="retired",
    ),
]  # fmt: skip


@pytest.mark.parametrize("version", NO_EFFECT)
def test_a_pin_does_not_raise_the_dead(version):
    result = look(version, model=a_model().pinned("v2"), backends=(backend_of(stable()),))
    assert result.weights == {"v1": 100}
    assert result.status().outcome is not None


def test_a_pin_waits_for_the_slot():
    old = stable().ended(Phase.SUPERSEDED, Reason.SUPERSEDED)
    new = a_model_version("v2").serving_since(-500)
    other = a_model_version("v3").canary()
    result = decided(a_snapshot(a_model().pinned("v1"), old, new, other, in_flight={"v3": 1}))
    assert result.ending("v3") == "RolledBack/Pinned"
    assert result.phase("v1") == "Superseded"


def test_stable_that_is_taken_away_leaves_the_candidate_alone():
    gone = stable().desired("Retired")
    version = a_model_version("v2").canary()
    result = decided(a_snapshot(a_model(), gone, version, in_flight={"v1": 1}))
    assert result.weights == {"v2": 100}
    assert result.status().rollout.first
    lost = (backend_of(gone), backend_of(version, "starting"))
    result = decided(a_snapshot(a_model(), gone, version, backends=lost, in_flight={"v1": 1}))
    assert result.weights == {}


def test_thresholds_edited_later_do_not_reach_a_digest_that_steers():
    first, second = Rollout(), Rollout.model_validate({"maxDuration": "9h"})
    assert rollout_digest(first) == rollout_digest(second)
    assert rollout_digest(first) != rollout_digest(Rollout.model_validate({"strategy": "Direct"}))
