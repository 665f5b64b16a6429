"""What people read: events, conditions, phases, the Model's status, when to look again."""

from __future__ import annotations

import pytest
from builders import a_model, a_model_version, a_run, a_snapshot, at, backend_of, judged, routes_of
from decided import decided

from slipway_contracts.conditions import Condition, ConditionType, Phase, Reason
from slipway_contracts.model_version import ModelVersionStatus
from slipway_operator.core.decide import POLICIES, decide
from slipway_operator.core.events import condition_events, version_events


def stable():
    return a_model_version("v1").serving_since()


def canary(step=0):
    return a_model_version("v2").canary(step)


def test_events_are_made_on_transitions_only():
    first = decided(
        a_snapshot(a_model(), stable(), canary(), analysis=judged("Fail"), in_flight={"v2": 1})
    )
    mine = [e for e in first.decision.events if e.name == "v2"]
    assert any(e.type == "Warning" and e.reason is Reason.ANALYSIS_FAILED for e in mine)
    later = [v.with_status(**dict(first.status(v.name))) for v in (stable(), canary())]
    model = a_model().build().model_copy(update={"status": first.decision.model_status})
    again = decided(
        a_snapshot(
            model,
            *later,
            routes=routes_of(first.decision.route, revision=8, applied=8),
            analysis=judged("Fail"),
            in_flight={"v2": 1},
        )
    )
    assert again.decision.events == ()


def test_a_change_of_weight_is_an_event():
    before = canary().with_rollout(weight_desired=10).status
    after = canary().with_rollout(weight_desired=50).status
    (event,) = version_events("v2", before, after)
    assert (event.reason, event.message) == (Reason.IN_PROGRESS, "weight 10 % → 50 %")
    assert version_events("v2", ModelVersionStatus(), ModelVersionStatus()) == []


def test_a_condition_that_only_changes_its_words_is_no_event():
    def said(reason, message):
        return (
            Condition(
                type=ConditionType.CANDIDATE_READY,
                status="False",
                reason=reason,
                message=message,
                last_transition_time=at(0),
            ),
        )

    before = said(Reason.STARTING, "1 of 2")
    assert condition_events("Model", "m", before=before, after=said(Reason.STARTING, "2")) == []
    (event,) = condition_events("Model", "m", before=before, after=said(Reason.IMAGE_PULL, "no"))
    assert event.reason is Reason.IMAGE_PULL
    assert condition_events("Model", "m", before=(), after=said(Reason.STARTING, "")) == []


def test_transition_times_move_only_on_a_flip():
    first = decided(a_snapshot(a_model(), stable(), canary(), seconds=5))
    ready = first.condition("Ready", "v1")
    assert ready.last_transition_time == at(5)
    later = stable().with_status(**dict(first.status("v1")))
    same = decided(a_snapshot(a_model(), later, canary(), seconds=50)).condition("Ready", "v1")
    assert same.last_transition_time == at(5)
    gone = (backend_of(stable(), "starting"), backend_of(canary()))
    flipped = decided(a_snapshot(a_model(), later, canary(), seconds=70, backends=gone))
    assert flipped.condition("Ready", "v1").last_transition_time == at(70)


def test_the_generation_that_was_seen_is_said():
    version = a_model_version("v1").serving_since()
    version = version.__class__(**{**version.__dict__, "meta": {"generation": 7}})
    result = decided(a_snapshot(a_model(), version))
    assert result.status("v1").observed_generation == 7
    assert result.condition("Ready", "v1").observed_generation == 7


def test_the_model_s_status_shows_the_route():
    result = decided(a_snapshot(a_model(), stable(), canary()))
    model = result.decision.model_status
    assert [(r.version, r.weight) for r in model.routes] == [("v2", 10), ("v1", 90)]
    assert (model.routes_revision, model.routes_applied) == (7, 7)
    assert result.model_said("Ready") == "True/Serving"
    assert result.model_said("TrafficApplied") == "True/RoutesApplied"
    assert result.status().rollout.weight_observed == 10
    assert result.status("v1").rollout.weight_observed == 90


def test_what_the_gateways_apply_is_not_guessed():
    version = canary().with_rollout(weight_observed=10)
    settled = a_snapshot(a_model(), stable(), version)
    routes = routes_of(settled.routes.stored, applied=6)
    result = decided(a_snapshot(a_model(), stable(), version, routes=routes))
    assert result.status().rollout.weight_observed == 10
    assert result.model_said("TrafficApplied") == "False/RoutesPending"
    silent = routes_of(settled.routes.stored, gateways=0)
    result = decided(a_snapshot(a_model(), stable(), version, routes=silent))
    assert result.model_said("TrafficApplied") == "False/GatewayUnavailable"
    assert result.said("TrafficApplied") == "False/GatewayUnavailable"


STABLE_GONE = [
    pytest.param((), "False/BackendLost", id="no-backend"),
    pytest.param(
        (backend_of(stable(), "failed", reason=Reason.OOM_KILLED, message="killed"),),
        "False/OOMKilled",
        id="says-why",
    ),
]


@pytest.mark.parametrize(("backends", "said"), STABLE_GONE)
def test_a_serving_version_that_does_not_answer(backends, said):
    result = decided(a_snapshot(a_model(), stable(), backends=backends))
    assert result.said("Ready", "v1") == said
    assert result.model_said("Ready") == "False/BackendLost"
    assert result.weights == {}
    assert result.listed == {"v1"}  # the platform starts it again
    assert result.decision.requeue_after == 2


def test_a_serving_version_whose_checks_fail_keeps_its_traffic():
    seen = (backend_of(stable(), "unhealthy"),)
    result = decided(a_snapshot(a_model(), stable(), backends=seen))
    assert result.weights == {"v1": 100}
    assert result.said("Ready", "v1") == "False/BackendLost"


REQUEUES = [
    pytest.param((stable(),), 15.0, id="serving-is-looked-at-now-and-then"),
    pytest.param((stable(), a_model_version("v2").with_slot()), 1, id="a-backend-that-starts"),
    pytest.param((stable(), canary()), 1, id="a-rollout-every-second"),
    pytest.param((stable(), canary().leaving()), 0.25, id="a-rollback-is-quick"),
    pytest.param((a_model_version("v1").trained(),), 2, id="a-run"),
]


@pytest.mark.parametrize(("told", "seconds"), [(True, 15), (False, 2)], ids=["told", "asked"])
def test_a_run_that_its_platform_tells_of_is_looked_at_rarely(told, seconds):
    version = a_model_version("v1").trained()
    seen = a_run(version, "train", "running", told=told)
    result = decided(a_snapshot(a_model(), version, runs=(seen,)))
    assert result.decision.requeue_after == seconds


@pytest.mark.parametrize(("versions", "seconds"), REQUEUES)
def test_when_to_look_again(versions, seconds):
    result = decided(a_snapshot(a_model(), *versions, in_flight={"v2": 1}))
    assert result.decision.requeue_after == seconds


def test_a_message_names_the_next_action():
    result = decided(a_snapshot(a_model(), stable(), canary(), analysis=judged("NoData"),
                                seconds=7201))  # fmt: skip
    assert "raise maxDuration" in result.status().ending.message


def test_every_ending_has_a_phase():
    for phase, shown in {
        Phase.ROLLED_BACK: "RollingBack",
        Phase.RETIRED: "Terminating",
        Phase.SUPERSEDED: "Superseded",
    }.items():
        version = canary().leaving(phase)
        result = decided(a_snapshot(a_model(), stable(), version, in_flight={"v2": 1}))
        assert result.phase() == shown


def test_the_policies_are_a_visible_tuple_in_the_order_of_a_life():
    names = [policy.__name__ for policy in POLICIES]
    order = ["accept", "train", "evaluate", "deploy", "rollback", "canary", "watch", "drain"]
    assert [name for name in names if name in order] == order
    assert names[-1] == "report"


def test_a_chain_that_is_not_over_is_gone_on_with_at_once(monkeypatch):
    snapshot = a_snapshot(a_model(), a_model_version("v1"), backends=())
    whole = decide(snapshot)
    monkeypatch.setattr("slipway_operator.core.decide.ROUNDS", 1)
    cut = decide(snapshot)
    assert whole.requeue_after == 2
    assert cut.requeue_after == 0.05


def test_routes_that_are_not_applied_yet_are_looked_at_again_soon():
    whole = a_snapshot(a_model(), stable())
    pending = routes_of(whole.routes.stored, applied=6)
    assert decided(a_snapshot(a_model(), stable(), routes=pending)).decision.requeue_after == 1


ROLLED_BACK = canary().ended(Phase.ROLLED_BACK, Reason.ABORTED)
WISHES = [
    pytest.param(a_model().pinned("v9"), (), "True/Pinned", "does not exist", id="pin-missing"),
    pytest.param(a_model().pinned("v2"), (ROLLED_BACK,), "True/Pinned", "retry", id="pin-over"),
    pytest.param(a_model().pinned("v1"), (), "False/Healthy", "", id="pin-serves"),
    pytest.param(
        a_model().split(v1=50, v9=50), (), "True/FixedTraffic", "v9 does not", id="split-missing"
    ),
    pytest.param(a_model().split(v1=100), (), "False/Healthy", "", id="split-serves"),
    pytest.param(
        a_model().pinned("v2"),
        (canary().ended(Phase.SUPERSEDED, Reason.SUPERSEDED).desired("Retired"),),
        "False/Healthy",
        "",
        id="pin-superseded",
    ),
]


@pytest.mark.parametrize(("model", "versions", "said", "words"), WISHES)
def test_a_model_that_asks_for_what_cannot_be_had_says_so(model, versions, said, words):
    result = decided(a_snapshot(model, stable(), *versions, backends=(backend_of(stable()),)))
    assert result.model_said("Stalled") == said
    found = [c for c in result.decision.model_status.conditions if c.type == "Stalled"]
    assert words in found[0].message


def test_an_end_is_told_once_and_what_is_over_is_not_ready():
    version = canary().with_rollout(drain_started_at=at(-1)).leaving()
    version = version.saying(ConditionType.CANDIDATE_READY, "True", Reason.BACKEND_READY)
    result = decided(a_snapshot(a_model(), stable(), version))
    assert result.said("CandidateReady") == "False/NotServing"
    ends = [e for e in result.decision.events if e.name == "v2"]
    assert [e.message for e in ends if e.reason is not Reason.ACCEPTED] == ["is RolledBack: "]


def test_the_old_version_keeps_its_size_while_it_may_be_needed_again():
    old = a_model_version("v1").serving(replicas={"min": 1, "max": 8}).serving_since()
    new = a_model_version("v2").watched()
    backends = (backend_of(old, replicas=5), backend_of(new))
    result = decided(a_snapshot(a_model(), old, new, backends=backends))
    assert {b.version: b.replicas for b in result.decision.backends}["v1"] == 5
