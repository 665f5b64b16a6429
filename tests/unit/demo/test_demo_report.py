"""The report's shape and figures, and each expectation broken once by the evidence against it."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from demo_evidence import (
    DECIDED_AT,
    TRAINED,
    a_good_run,
    a_model,
    a_timeline,
    a_version,
    an_attempt,
    an_entry,
    condition,
    the_entries,
    the_timeline,
    the_versions,
)
from rich.console import Console

from slipway_cli.demo.evidence import LogEvidence
from slipway_cli.demo.expectations import EXPECTATIONS, in_order
from slipway_cli.demo.findings import find_rollback
from slipway_cli.demo.platform import ReplicaSeen
from slipway_cli.demo.report import assemble, decision_of, line, reason_of, show
from slipway_contracts.conditions import Phase


def versions(**changed):
    return {**the_versions(), **changed}


def entries(*more):
    return [*the_entries(), *more]


def log(*more, without=(), tripped=()):
    rows = [row for row in a_good_run().log.attempts if row.request_id not in without]
    return LogEvidence(attempts=(*rows, *more), tripped=tripped)


def slower_gateway():
    timeline = the_timeline()
    timeline.applied["gateway-1"][7] = 502.0
    return timeline


def silent_gateway():
    timeline = the_timeline()
    del timeline.applied["gateway-1"][7]
    return timeline


STRAY = an_entry("s", sent=510.0, version="v3")
FAILED_ON_STABLE = an_entry("f", sent=250.0, status=502, ok=False, why="status 502")
BACK = an_entry("back", sent=320.0, version="v1", conversation="k")
SECOND = ReplicaSeen(deployment="LLM", replica="9", run=9)

BROKEN = {
    "v1_trained_and_promoted_as_first_version": {"first_answer_at": None},
    "v2_passed_non_inferiority_gate": {"versions": versions(v2=a_version("v2", phase="Serving"))},
    "v2_shadowed_before_traffic": {"log": replace(log(), attempts=log().attempts[:-1])},
    "v2_went_10_50_100": {"timeline": a_timeline((0, {"v1": 100}), (9, {"v2": 100}))},
    "v2_promoted_on_evidence": {
        "versions": versions(v2=a_version("v2", rollout={"decidedBy": "PromotedByRequest"}))
    },
    "v2_promoted_without_restart": {
        "replicas": {"v2-b": a_good_run().replicas["v2-b"] | {SECOND}}
    },
    "v3_passed_offline_evaluation": {"versions": versions(v3=a_version("v3"))},
    "v3_was_worse_live": {"entries": [e for e in the_entries() if e.version != "v3"]},
    "v3_rolled_back_automatically": {
        "versions": versions(
            v3=a_version("v3", phase="RolledBack", rollout={"decidedBy": "Aborted"})
        )
    },
    "v3_rolled_back_in_time": {"timeline": slower_gateway()},
    "v3_got_nothing_after_rollback": {
        "log": log(an_attempt("s", version="v3", started_at=510.0)), "entries": entries(STRAY)
    },
    "v2_serves_on": {"model": a_model("v1")},
    "v4_rejected_by_its_gate": {"versions": versions(v4=a_version("v4", phase="Rejected"))},
    "v4_never_had_a_backend": {"phases": {"v4": [Phase.DEPLOYING]}},
    "ledger_complete": {"log": log(without=("a3",))},
    "ledger_without_duplicates": {"log": log(an_attempt("a3"))},
    "ledger_versions_match": {
        "log": log(an_attempt("a3", version="v2"), without=("a3",))
    },
    "conversations_stayed": {"entries": entries(BACK), "log": log(an_attempt("back"))},
    "nothing_failed_on_stable": {"entries": entries(FAILED_ON_STABLE), "log": log(an_attempt("f"))},
    "environment_in_time": {"started_at": 181.0},
    "first_answer_in_time": {"first_answer_at": 421.0},
    "everything_in_time": {"ended_at": 1201.0},
    "peak_memory_within_bounds": {"peak_pss_bytes": 0},
}  # fmt: skip


def test_a_good_run_is_ok():
    report = assemble(a_good_run())
    assert [name for name, met in report["expectations"].items() if not met] == []
    assert report["ok"] is True
    assert "problem" not in report


def test_every_expectation_has_a_case():
    assert set(BROKEN) == set(EXPECTATIONS)


@pytest.mark.parametrize("name", BROKEN)
def test_an_expectation_breaks_on_evidence_against_it(name):
    report = assemble(a_good_run(**BROKEN[name]))
    assert report["expectations"][name] is False
    assert report["ok"] is False


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("v4_never_had_a_backend", {"replicas": {"v4-b": set()}, "versions": versions(
            v4=a_version("v4", phase="Rejected", backend="v4-b"))}),
        ("v4_never_had_a_backend", {"log": log(an_attempt("x", version="v4"))}),
        ("v4_never_had_a_backend", {"replicas": {}}),
        ("v2_promoted_without_restart", {"replicas": {}}),
        ("v3_rolled_back_in_time", {"timeline": silent_gateway()}),
        ("ledger_complete", {"shipped": False}),
        ("ledger_complete", {"entries": []}),
        ("ledger_complete", {"entries": entries(the_entries()[0])}),
        ("nothing_failed_on_stable", {"entries": []}),
        ("nothing_failed_on_stable", {"entries": entries(
            an_entry("n", version=None, status=None, ok=False))}),
        ("v2_serves_on", {"entries": entries(
            an_entry("q", sent=505.0, version="v2", ok=False, why="empty"))}),
    ],
)  # fmt: skip
def test_more_ways_to_break_one(name, changes):
    assert assemble(a_good_run(**changes))["expectations"][name] is False


def test_without_any_evidence_nothing_that_needs_evidence_holds():
    report = assemble(
        a_good_run(
            timeline=a_timeline(), model=None, versions={}, phases={}, replicas={}, entries=[],
            log=LogEvidence(), first_answer_at=None, peak_pss_bytes=0, problem="PostgreSQL went",
        )
    )  # fmt: skip
    held = {name for name, met in report["expectations"].items() if met}
    assert held == {
        "ledger_without_duplicates",
        "ledger_versions_match",
        "conversations_stayed",
        "environment_in_time",
        "everything_in_time",
    }
    assert report["ok"] is False
    assert report["problem"] == "PostgreSQL went"


def test_the_fields_that_the_issue_lists():
    report = json.loads(line(assemble(a_good_run())))
    assert report["seconds"] == {"environment": 60.0, "first_answer": 60.0, "total": 520.0}
    assert report["peak_pss_gib"] == 11.0
    assert set(report["versions"]["v3"]) >= {
        "phase", "reason", "trained", "evaluated", "weights", "decided_by"
    }  # fmt: skip
    assert report["versions"]["v3"]["weights"] == [[480, 10], [500.3, 0]]
    assert report["versions"]["v3"]["reason"] == "AnalysisFailed"
    assert report["versions"]["v3"]["decided_by"] == "refused 6/20 against 0/180"
    assert report["versions"]["v4"]["reason"] == "GateFailed"
    assert report["versions"]["v4"]["weights"] == []
    assert report["versions"]["v4"]["evaluated"] is True
    assert report["requests"] == {
        "sent": 72, "failed": 1, "failed_on_stable": 0, "by_version": {"v1": 30, "v2": 41, "v3": 1}
    }  # fmt: skip
    assert report["ledger"] == {
        "missing": 0, "duplicates": 0, "version_mismatches": 0, "sticky_violations": 0
    }  # fmt: skip
    assert report["rollback_seconds"] == 0.4
    assert report["bad_answers_served"] == 1


def test_a_gateways_guard_may_be_the_verdict():
    early = a_good_run(log=log(tripped=(DECIDED_AT - 0.1,)))
    assert find_rollback(early).verdict_at == pytest.approx(DECIDED_AT - 0.1)
    of_another = a_good_run(log=log(tripped=(320.0,)))
    assert find_rollback(of_another).verdict_at == pytest.approx(DECIDED_AT)


def test_failures_of_a_candidate_are_not_the_stable_ones():
    bad = an_entry("cb", sent=320.0, version="v2", ok=False, why="empty", conversation="k")
    later = an_entry("sb", sent=420.0, version="v2", ok=False, why="empty", conversation="m")
    report = assemble(a_good_run(entries=entries(bad, later)))
    assert report["requests"]["failed"] == 3
    assert report["requests"]["failed_on_stable"] == 1


@pytest.mark.parametrize(
    ("wanted", "seen", "expected"),
    [((10, 50), [10, 50], True), ((10, 50), [50, 10], False), ((10,), [], False), ((), [], True)],
)
def test_in_order(wanted, seen, expected):
    assert in_order(wanted, seen) is expected


def test_the_table_shows_what_broke():
    out = io.StringIO()
    show(Console(file=out, width=160), assemble(a_good_run(peak_pss_bytes=15 << 30)))
    text = out.getvalue()
    assert "broken" in text
    assert "peak memory within bounds" in text
    assert "10 % at 480 s → 0 % at 500 s" in text


def test_a_decision_names_what_each_step_was_judged_on():
    steps = [
        {"step": 0, "weight": 10, "startedAt": "2026-01-01T00:00:00Z", "requests": 104},
        {"step": 1, "weight": 50, "startedAt": "2026-01-01T00:00:00Z", "requests": 262, "bad": 1},
    ]
    rollout = {"decidedBy": "Promoted", "message": "holding at watch", "steps": steps}
    promoted = condition("Promoted", "True", "Promoted", "every step passed")
    decided = decision_of(a_version("v2", rollout=rollout, conditions=[promoted]))
    assert decided == "every step passed (10 %: 104 requests, 0 bad; 50 %: 262 requests, 1 bad)"


def test_an_ending_says_more_than_conditions():
    ending = {"phase": "RolledBack", "reason": "GuardTripped", "at": "2026-01-01T00:00:00Z"}
    version = a_version("v3", ending={**ending, "message": "12 of 20 bad"}, conditions=[TRAINED])
    assert (reason_of(version), decision_of(version)) == ("GuardTripped", "12 of 20 bad")
