"""The canary: shadow, rungs, holds, pauses, edits, and everything that ends it badly."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import (
    a_model,
    a_model_version,
    a_snapshot,
    at,
    backend_of,
    judged,
    routes_of,
    unreadable,
)
from decided import decided
from pydantic import ValidationError

from slipway_contracts.conditions import Reason
from slipway_contracts.rollout import Rollout
from slipway_operator.core.draft import Draft
from slipway_operator.core.effective import rollout_digest
from slipway_operator.core.snapshot import Analysis, Baseline
from slipway_operator.core.traffic import route_for


def stable():
    return a_model_version("v1").serving_since()


def on(step=0, since=0.0):
    return a_model_version("v2").canary(step, since)


def look(version, analysis=None, seconds=90.0, model=None, **changes):
    """One pass over stable v1 and candidate v2, everything ready and applied by default."""
    return decided(
        a_snapshot(
            model or a_model(), stable(), version, analysis=analysis, seconds=seconds, **changes
        )
    )


def unsettled(version, *, applied=None, gateways=1, model=None):
    """The route that the statuses ask for is stored; the gateways are not (all) there yet."""
    whole = a_snapshot(model or a_model(), stable(), version)
    route = route_for(Draft.of(whole))
    return routes_of(route, applied=applied, gateways=gateways)


# the climb


def test_a_ready_candidate_begins_at_the_first_rung():
    result = look(a_model_version("v2").with_slot(), backends=both())
    assert result.weights == {"v2": 10, "v1": 90}
    assert result.status().rollout.plan == (10, 50)
    assert result.phase() == "Canary"
    assert result.said("Promoted") == "False/InProgress"


def both(state="ready", **changes):
    return (backend_of(stable()), backend_of(a_model_version("v2").with_slot(), state, **changes))


@pytest.mark.parametrize(
    ("rate", "plan"),
    [
        pytest.param(0.5, (20, 50), id="slow"),
        pytest.param(5.0, (10, 25, 50), id="medium"),
        pytest.param(20.0, (5, 10, 25, 50), id="fast"),
    ],
)
def test_auto_picks_the_ladder_by_stable_s_traffic(rate, plan):
    result = look(
        a_model_version("v2").with_slot(),
        model=a_model().with_spec(rollout={}),
        backends=both(),
        baseline=Baseline(requests_per_second=rate),
    )
    assert result.status().rollout.plan == plan
    assert result.weights["v2"] == plan[0]


def test_a_step_begins_when_every_gateway_applies_it():
    version = on(since=None)
    pending = look(version, routes=unsettled(version, applied=6))
    assert pending.status().rollout.step_started_at is None
    assert pending.said("TrafficApplied") == "False/RoutesPending"
    applied = look(version, seconds=5)
    assert applied.status().rollout.step_started_at == at(5)
    assert applied.status().rollout.weight_observed == 10
    assert applied.said("TrafficApplied") == "True/RoutesApplied"
    (summary,) = applied.status().rollout.steps
    assert (summary.step, summary.weight, summary.started_at) == (0, 10, at(5))


CLIMBS = [
    pytest.param(on(0), judged("Pass"), 61, {"v2": 50, "v1": 50}, id="pass-after-its-time"),
    pytest.param(on(0), judged("Pass"), 59, {"v2": 10, "v1": 90}, id="pass-too-early"),
    pytest.param(on(0), None, 90, {"v2": 10, "v1": 90}, id="6-no-sample-yet"),
    pytest.param(on(0), judged("NoData"), 90, {"v2": 10, "v1": 90}, id="1-9-no-data-holds"),
    pytest.param(on(0), judged("Continue"), 90, {"v2": 10, "v1": 90}, id="28b-not-decided-holds"),
    pytest.param(on(0), judged("Error"), 90, {"v2": 10, "v1": 90}, id="2-3-error-holds"),
    pytest.param(on(0), unreadable(3), 90, {"v2": 10, "v1": 90}, id="4-28c-unreadable-holds"),
    pytest.param(
        on(0), judged("Pass", version="v9"), 90, {"v2": 10, "v1": 90}, id="evidence-on-another"
    ),
    pytest.param(on(1), judged("Pass"), 90, {"v2": 95, "v1": 5}, id="last-step-promotes"),
    pytest.param(on(0), judged("Fail"), 1, {"v1": 100}, id="fail-acts-at-once"),
    pytest.param(on(1), judged("Fail"), 90, {"v1": 100}, id="fail-on-the-last-step"),
    pytest.param(on(0), judged("Fail", guard=True), 1, {"v1": 100}, id="9-guard"),
    pytest.param(
        on(0), Analysis(version="v2", guard_tripped=True), 1, {"v1": 100}, id="9-gateway-s-guard"
    ),
    pytest.param(on(0, since=None), judged("Fail"), 1, {"v1": 100}, id="fail-before-it-begins"),
    pytest.param(
        on(0, since=None),
        judged("Pass"),
        90,
        {"v2": 10, "v1": 90},
        id="7-pass-from-before-the-step",
    ),
]


@pytest.mark.parametrize(("version", "analysis", "seconds", "weights"), CLIMBS)
def test_one_pass_of_the_climb(version, analysis, seconds, weights):
    assert look(version, analysis, seconds).weights == weights


def test_a_step_that_began_this_instant_cannot_have_passed():
    quick = Rollout.model_validate({"steps": [{"weight": 10, "minDuration": "0s"}]})
    version = on(0, since=90).rollout(**quick.sparse())
    version = version.with_rollout(spec_digest=rollout_digest(quick), plan=(10,))
    assert look(version, judged("Pass"), 90).weights["v2"] == 10
    assert look(version, judged("Pass"), 91).weights["v2"] == 95


def test_a_passed_step_is_summarised_and_closed():
    result = look(on(0), judged("Pass", requests=40))
    first = result.status().rollout.steps[0]
    assert (first.verdict, first.requests, first.bad) == ("Pass", 40, 1)
    assert first.ended_at == at(90)
    assert result.said("AnalysisHealthy") == "True/AnalysisPassed"


HOLDS = [
    pytest.param({"backends": both("unhealthy")}, "False/BackendLost", id="16-not-answering"),
    pytest.param({"applied": 6}, "False/RoutesPending", id="16-not-applied"),
    pytest.param({"gateways": 0}, "False/GatewayUnavailable", id="no-gateway"),
    pytest.param({"backends": both(replicas=0)}, "False/Starting", id="16-too-few-replicas"),
]


@pytest.mark.parametrize(("changes", "said"), HOLDS)
def test_what_a_rise_waits_for_although_the_step_passed(changes, said):
    version = on(0)
    if "backends" not in changes:
        changes = {"routes": unsettled(version, **changes)}
    result = look(version, judged("Pass"), **changes)
    assert result.status().rollout.step == 0
    assert result.said("Promoted") == said
    # the step stays passed: nothing has to be earned again
    later = look(version.with_status(**dict(result.status())), seconds=95)
    assert later.weights == {"v2": 50, "v1": 50}


def test_no_weight_on_a_candidate_that_does_not_answer_and_back_when_it_does():
    version = on(0)
    gone = look(version, backends=both("unhealthy"))
    assert gone.weights == {"v1": 100}
    assert gone.said("CandidateReady") == "False/BackendLost"
    assert gone.status().capacity_wait_since == at(90)
    waiting = version.with_status(**dict(gone.status()))
    back = look(waiting, seconds=120)
    assert back.weights == {"v2": 10, "v1": 90}
    assert back.status().capacity_wait_since is None


def test_why_a_candidate_does_not_answer_is_said():
    seen = {"reason": Reason.OOM_KILLED, "message": "killed for its memory"}
    gone = look(on(0), backends=both("unhealthy", **seen))
    assert gone.said("CandidateReady") == "False/OOMKilled"


LOSSES = [
    pytest.param("starting", {}, 691, "RolledBack/BackendLost", id="does-not-come-back"),
    pytest.param("starting", {}, 689, None, id="still-patient"),
    pytest.param("failed", {}, 90, "RolledBack/BackendLost", id="broke"),
    pytest.param("failed", {"reason": Reason.OOM_KILLED}, 90, "RolledBack/OOMKilled", id="oom"),
    pytest.param("no_capacity", {}, 691, "RolledBack/InsufficientCapacity", id="28-evicted"),
    pytest.param(
        "unhealthy",
        {"reason": Reason.OOM_KILLED, "message": "killed for its memory"},
        691,
        "RolledBack/OOMKilled",
        id="killed-again-and-again",
    ),
]


@pytest.mark.parametrize(("state", "seen", "seconds", "ending"), LOSSES)
def test_a_candidate_that_had_traffic_is_rolled_back(state, seen, seconds, ending):
    version = on(0).with_status(capacity_wait_since=at(90))
    result = look(version, seconds=seconds, backends=both(state, **seen))
    assert result.ending() == ending
    assert result.weights == {"v1": 100}


def test_the_route_of_a_canary():
    route = look(on(0), seconds=5).decision.route
    assert [b.role for b in route.backends] == ["candidate", "stable"]
    assert route.salt == "uid-v2"
    assert route.overdue_ms == 2000
    assert (route.guard.candidate, route.guard.stable) == ("v2", "v1")
    assert route.guard.rollout_id == on(0).status.backend


def test_slow_thresholds_are_frozen_when_a_step_is_entered():
    seen = Baseline(ttft_p95_ms=100, token_p95_ms=20)
    result = look(on(0), judged("Pass"), baseline=seen)
    assert result.status().rollout.thresholds.ttft_ms == 125
    assert result.status().rollout.thresholds.token_ms == 25
    assert result.decision.route.overdue_ms == 125
    slower = Baseline(ttft_p95_ms=900, token_p95_ms=90)
    later = look(on(1).with_status(**dict(result.status())), baseline=slower)
    assert later.status().rollout.thresholds.ttft_ms == 125


def test_too_few_stable_samples_leave_the_model_s_slo():
    model = a_model().with_spec(serving={"slo": {"ttftMs": 700, "tokenMs": 70}})
    result = look(on(0), judged("Pass"), model=model, baseline=Baseline(requests_per_second=1))
    assert result.status().rollout.thresholds.ttft_ms == 700


# errors, time, people


def budget(spent, tick):
    return on(0).with_rollout(errors_spent=spent, last_error_tick=tick)


ERRORS = [
    pytest.param(budget(0, 0), unreadable(7), 1, 7, None, id="spends-one"),
    pytest.param(budget(1, 7), unreadable(7), 1, 7, None, id="once-per-tick"),
    pytest.param(budget(5, 7), unreadable(8), 6, 8, "RolledBack/ErrorBudgetSpent", id="4-spent"),
    pytest.param(budget(5, 7), judged("NoData"), 5, 7, None, id="no-data-spends-nothing"),
    pytest.param(budget(5, 7), judged("Error", error_tick=9), 6, 9, "RolledBack/ErrorBudgetSpent",
                 id="a-judgement-of-error"),
]  # fmt: skip


@pytest.mark.parametrize(("version", "analysis", "spent", "tick", "ending"), ERRORS)
def test_4_the_error_budget(version, analysis, spent, tick, ending):
    result = look(version, analysis)
    rollout = result.status().rollout
    assert (rollout.errors_spent, rollout.last_error_tick) == (spent, tick)
    assert result.ending() == ending
    if analysis.error:
        assert result.said("AnalysisHealthy") == "Unknown/MetricsUnavailable"


UNDECIDED = [
    pytest.param("Abort", judged("Continue", needed=120), "RolledBack/Undecided", id="abort"),
    pytest.param("Hold", judged("NoData"), None, id="hold"),
    pytest.param("Promote", judged("Continue"), None, id="promote"),
]


@pytest.mark.parametrize(("action", "analysis", "ending"), UNDECIDED)
def test_undecided_at_max_duration(action, analysis, ending):
    model = a_model().rollout(analysis={"onUndecided": action})
    version = on(0).with_rollout(spec_digest=digest_of(model))
    early = look(version, analysis, 7199, model=model)
    assert early.ending() is None and early.weights["v2"] == 10
    result = look(version, analysis, 7201, model=model)
    assert result.ending() == ending
    match action:
        case "Abort":
            assert "about 120 more requests" in result.status().ending.message
            assert result.weights == {"v1": 100}
        case "Hold":
            assert result.said("Promoted") == "False/Undecided"
            assert result.weights["v2"] == 10
        case _:
            assert result.weights == {"v2": 95, "v1": 5}
            assert result.status().rollout.decided_by is Reason.UNDECIDED


def test_undecided_promotion_waits_for_gateways_too():
    model = a_model().rollout(analysis={"onUndecided": "Promote"})
    version = on(0).with_rollout(spec_digest=digest_of(model))
    routes = unsettled(version, gateways=0, model=model)
    assert look(version, None, 7201, model=model, routes=routes).weights["v2"] == 10


def test_undecided_says_more_when_nobody_knows_how_many():
    result = look(on(0), judged("NoData"), 7201)
    assert "more requests were needed" in result.status().ending.message


def digest_of(model):
    return rollout_digest(Rollout.model_validate(model.spec["rollout"]))


def test_22_a_pause_stops_both_clocks_and_holds_the_weight():
    version = on(0).desired("Paused")
    paused = look(version, judged("Pass"), 30)
    assert paused.phase() == "Paused"
    assert paused.said("Paused") == "True/Paused"
    assert paused.weights == {"v2": 10, "v1": 90}
    held = version.with_status(**dict(paused.status()))
    long = look(held, judged("Pass"), 90_000)
    assert long.weights == {"v2": 10, "v1": 90} and long.ending() is None
    resumed = held.with_status(**dict(long.status())).desired("Active")
    back = look(resumed, judged("Pass"), 90_020)
    assert back.weights == {"v2": 10, "v1": 90}  # 30 s before + 0 s since
    assert back.said("Paused") == "False/Resumed"
    rollout = back.status().rollout
    assert (rollout.paused_seconds, rollout.step_paused_seconds) == (89_990, 89_990)
    active = resumed.with_status(**dict(back.status()))
    assert look(active, judged("Pass"), 90_049).weights["v2"] == 10
    assert look(active, judged("Pass"), 90_051).weights["v2"] == 50


def test_a_bad_verdict_acts_during_a_pause():
    paused = on(0).desired("Paused").with_rollout(paused_since=at(10))
    assert look(paused, judged("Fail")).ending() == "RolledBack/AnalysisFailed"


def test_errors_are_not_spent_during_a_pause():
    paused = on(0).desired("Paused").with_rollout(paused_since=at(10))
    assert look(paused, unreadable(9)).status().rollout.errors_spent == 0


def test_a_step_that_begins_during_a_pause_was_paused_only_from_then_on():
    paused = on(0, since=None).desired("Paused").with_rollout(paused_since=at(-50))
    begun = look(paused, seconds=0)
    assert begun.status().rollout.step_started_at == at(0)
    resumed = paused.with_status(**dict(begun.status())).desired("Active")
    rollout = look(resumed, seconds=20).status().rollout
    assert (rollout.paused_seconds, rollout.step_paused_seconds) == (70, 20)


def test_a_pause_before_a_step_began_costs_that_step_nothing():
    paused = on(0, since=None).with_rollout(paused_since=at(-50))
    route = unsettled(paused, applied=1)
    rollout = look(paused, seconds=0, routes=route).status().rollout
    assert (rollout.paused_seconds, rollout.step_paused_seconds) == (50, 0)


APPROVALS = [
    pytest.param({"autoPromote": False}, on(1), id="before-promotion"),
    pytest.param(
        {"steps": [{"weight": 10}, {"weight": 50, "approval": True}]}, on(0), id="before-a-step"
    ),
]


@pytest.mark.parametrize(("rules", "version"), APPROVALS)
def test_who_asks_for_a_person_waits_for_a_person(rules, version):
    model = a_model().rollout(**rules)
    version = version.with_rollout(spec_digest=digest_of(model))
    before = version.status.rollout.plan[version.status.rollout.step]
    waits = look(version, judged("Pass"), model=model)
    assert waits.weights["v2"] == before
    assert waits.said("Promoted") == "False/AwaitingApproval"
    assert waits.phase() == "AwaitingApproval"
    later = version.with_status(**dict(waits.status()))
    patient = look(later, None, 90_000, model=model)
    assert patient.ending() is None  # a person is not a missing sample
    granted = look(later.approved(), None, 90_001, model=model)
    assert granted.weights["v2"] > before


def test_an_approval_for_the_first_step_is_not_undecided():
    model = a_model().rollout(steps=[{"weight": 10, "approval": True}])
    version = a_model_version("v2").with_slot()
    waits = look(version, model=model, backends=both())
    assert waits.said("Promoted") == "False/AwaitingApproval"
    later = version.with_status(**dict(waits.status()))
    assert look(later, None, 90_000, model=model).ending() is None


def test_a_pin_promotes_now():
    result = look(on(0), judged("NoData"), model=a_model().pinned("v2"))
    assert result.weights == {"v2": 95, "v1": 5}
    assert result.status().rollout.decided_by is Reason.PROMOTED_BY_REQUEST


def test_a_pin_does_not_promote_what_is_judged_bad_or_does_not_answer():
    pinned = a_model().pinned("v2")
    assert look(on(0), judged("Fail"), model=pinned).weights == {"v1": 100}
    lost = look(on(0), model=pinned, backends=both("unhealthy"))
    assert lost.weights == {"v1": 100}
    assert lost.said("Promoted") == "False/BackendLost"


# edits


EDITS = [
    pytest.param(on(1), [10, 50, 80], 50, (10, 50, 80), id="24-rung-kept"),
    pytest.param(on(1), [5, 20], 20, (5, 20), id="24-nearest-rung-below"),
    pytest.param(on(0), [40, 60], 10, (10, 40, 60), id="24-never-raised-by-an-edit"),
]


@pytest.mark.parametrize(("version", "steps", "weight", "plan"), EDITS)
def test_24_steps_edited_mid_step_restart_the_current_step(version, steps, weight, plan):
    model = a_model().rollout(steps=[{"weight": w} for w in steps])
    result = look(version, judged("Pass"), model=model)
    rollout = result.status().rollout
    assert rollout.plan == plan
    assert rollout.plan[rollout.step] == weight == result.weights["v2"]
    assert rollout.step_started_at in {None, at(90)}
    assert rollout.spec_digest == digest_of(model)


def test_24_an_edit_before_the_first_rung_takes_the_new_plan():
    version = a_model_version("v2").shadowing().with_rollout(shadow_ended_at=at(1))
    model = a_model().rollout(steps=[{"weight": 30}])
    result = look(version, model=model)
    assert result.status().rollout.plan == (30,)
    assert result.weights == {"v2": 30, "v1": 70}


def test_24_an_edit_to_direct_promotes():
    model = a_model().rollout(strategy="Direct")
    assert look(on(0), judged("NoData"), model=model).weights == {"v2": 95, "v1": 5}


def test_editing_what_only_steers_restarts_nothing():
    model = a_model().rollout(maxDuration="3h", autoPromote=False, analysis={"errorBudget": 1})
    assert look(on(0), None, model=model).status().rollout.step_started_at == at(0)


# shadow

SHADOW = {"shadow": {"sample": 0.2, "minDuration": "60s", "minRequests": 20}}


def copies(number, bad=0):
    return Analysis(version="v2", shadow_requests=number, shadow_bad=bad)


def shadow(version=None, analysis=None, seconds=90.0, **changes):
    return look(
        version or a_model_version("v2").shadowing(),
        analysis,
        seconds,
        model=a_model().rollout(**SHADOW),
        **changes,
    )


def test_a_shadow_phase_begins_when_the_gateways_copy():
    fresh = shadow(a_model_version("v2").with_slot(), backends=both(), seconds=0)
    assert fresh.phase() == "Shadowing"
    assert fresh.weights == {"v1": 100}
    assert fresh.decision.route.shadow.version == "v2"
    assert fresh.decision.route.shadow.sample == 0.2
    assert fresh.status().rollout.shadow_started_at is None
    settled = shadow(a_model_version("v2").shadowing(since=None), seconds=3)
    assert settled.status().rollout.shadow_started_at == at(3)


SHADOWS = [
    pytest.param(copies(20), 61, True, id="enough"),
    pytest.param(copies(19), 61, False, id="too-few-copies"),
    pytest.param(copies(99), 59, False, id="too-early"),
    pytest.param(None, 90, False, id="nothing-known"),
]


@pytest.mark.parametrize(("analysis", "seconds", "ends"), SHADOWS)
def test_the_shadow_phase_ends_with_time_and_traffic(analysis, seconds, ends):
    result = shadow(analysis=analysis, seconds=seconds)
    assert (result.decision.route.shadow is None) == ends
    assert result.phase() == ("Canary" if ends else "Shadowing")
    assert result.weights == {"v1": 100}


def test_the_first_rung_follows_when_the_copies_have_stopped():
    over = a_model_version("v2").shadowing().with_rollout(shadow_ended_at=at(61))
    assert shadow(over).weights == {"v2": 10, "v1": 90}


def test_a_shadow_that_mostly_fails_is_rolled_back_before_any_traffic():
    assert shadow(analysis=copies(20, bad=10)).ending() == "RolledBack/AnalysisFailed"
    assert shadow(analysis=copies(20, bad=9)).ending() is None


def test_a_shadow_whose_backend_is_lost_is_not_copied_to():
    gone = shadow(backends=both("unhealthy"))
    assert gone.decision.route.shadow is None
    assert shadow(seconds=7201).ending() == "RolledBack/Undecided"


def test_a_shadow_does_not_end_during_a_pause():
    paused = a_model_version("v2").shadowing().desired("Paused")
    assert shadow(paused.with_rollout(paused_since=at(80)), copies(40)).weights == {"v1": 100}


# aborts


MOMENTS = [
    pytest.param(a_model_version("v2").accepted(), False, id="10-before-its-artifact"),
    pytest.param(a_model_version("v2").with_artifact(), False, id="10-before-the-slot"),
    pytest.param(a_model_version("v2").with_slot(), False, id="10-before-its-pods-are-ready"),
    pytest.param(a_model_version("v2").shadowing(), True, id="10-shadow"),
    pytest.param(on(0), True, id="10-first-step"),
    pytest.param(on(1), True, id="10-last-step"),
    pytest.param(a_model_version("v2").watched(), True, id="10-watch"),
]


@pytest.mark.parametrize(("version", "drains"), MOMENTS)
def test_10_a_revert_at_any_moment_leaves_stable_untouched(version, drains):
    aborted = version.desired("Aborted")
    result = look(aborted, judged("Pass"), in_flight={"v2": 1})
    assert result.weights == {"v1": 100}
    assert result.ending() == "RolledBack/Aborted"
    assert result.listed == ({"v1", "v2"} if drains else {"v1"})
    assert result.phase() == ("RollingBack" if drains else "RolledBack")
    assert result.phase("v1") == "Serving"
    # 13: a second abort is no other decision
    again = look(aborted.with_status(**dict(result.status())), in_flight={"v2": 1})
    assert [event for event in again.decision.events if event.name == "v2"] == []
    assert again.status().ending == result.status().ending


def test_13_aborting_what_only_serves_is_a_no_op():
    result = decided(a_snapshot(a_model(), stable().desired("Aborted")))
    assert result.ending("v1") is None
    assert result.weights == {"v1": 100}


def test_evidence_without_a_version_is_about_the_holder():
    unnamed = replace(judged("Fail"), version="")
    assert look(on(0), unnamed).ending() == "RolledBack/AnalysisFailed"


def test_a_guard_without_a_judgement_has_words_of_its_own():
    result = look(on(0), Analysis(guard_tripped=True))
    assert result.ending() == "RolledBack/GuardTripped"
    assert "half" in result.status().ending.message


def test_a_pause_keeps_a_ready_candidate_from_beginning():
    version = a_model_version("v2").with_slot().desired("Paused")
    result = look(version, backends=(backend_of(stable()), backend_of(version)))
    assert result.status().rollout is None
    assert result.weights == {"v1": 100}
    assert result.phase() == "Paused"


def test_a_pause_keeps_a_passed_step_from_rising():
    passed = look(on(0), judged("Pass"), routes=unsettled(on(0), applied=6))
    version = on(0).with_status(**dict(passed.status())).desired("Paused")
    held = look(version, seconds=95)
    assert held.weights == {"v2": 10, "v1": 90}
    assert held.said("Promoted") == "False/Paused"


def test_a_rise_waits_for_a_route_that_was_never_stored():
    result = look(on(0), judged("Pass"), routes=routes_of(None))
    assert result.weights == {"v2": 10, "v1": 90}
    assert result.said("Promoted") == "False/RoutesPending"


def test_18_a_rise_that_was_written_but_not_remembered_is_completed():
    ahead = look(on(0), judged("Pass")).decision.route
    result = look(on(0), judged("Pass"), routes=routes_of(ahead, applied=6))
    assert result.weights == {"v2": 50, "v1": 50}
    assert result.status().rollout.step == 1
    assert result.status().rollout.step_started_at is None


@pytest.mark.parametrize("weight", [0, 100])
def test_24_a_step_of_nothing_or_of_everything_is_refused(weight):
    with pytest.raises(ValidationError):
        Rollout.model_validate({"steps": [{"weight": weight}]})
