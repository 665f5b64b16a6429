"""Builders of the demo's evidence: entries, rows, timelines, versions, and a whole good run."""

from __future__ import annotations

from dataclasses import replace

from slipway_cli.demo.evidence import LogEvidence
from slipway_cli.demo.findings import Evidence
from slipway_cli.demo.ledger import Entry, LoggedAttempt
from slipway_cli.demo.platform import ReplicaSeen
from slipway_cli.demo.timeline import RoutePoint, Timeline
from slipway_contracts.base import utc
from slipway_contracts.conditions import Phase
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion


def an_entry(request_id, **changes):
    """A good plain answer of 0.1 s to first byte and 0.2 s in all."""
    sent = changes.get("sent", 20.0)
    entry = Entry(
        request_id=request_id, conversation="c", kind="short", stream=False, sent=sent,
        first_byte=sent + 0.1, ended=sent + 0.2, status=200, version="v1", ok=True,
    )  # fmt: skip
    return replace(entry, **changes)


def an_attempt(request_id, **changes):
    row = LoggedAttempt(
        request_id=request_id, attempt=1, version="v1", shadow=False, started_at=20.0
    )
    return replace(row, **changes)


def a_timeline(*points):
    """(at, weights) pairs → a timeline; the rising version below 95 is the candidate."""
    timeline = Timeline()
    stable = None
    for revision, (at, weights) in enumerate(points, start=1):
        heaviest = max(weights, key=weights.get)
        if stable is None or stable not in weights or weights[heaviest] >= 95:
            stable = heaviest
        roles = {v: "stable" if v == stable else "candidate" for v in weights}
        timeline.add_route(RoutePoint(at=at, revision=revision, weights=weights, roles=roles))
    return timeline


def condition(kind, status, reason, message=""):
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": utc(0).isoformat(),
    }


def a_version(name, *, phase="Pending", conditions=(), **status):
    """A ModelVersion with its status in wire form."""
    return ModelVersion.model_validate(
        {
            "metadata": {"name": name, "uid": f"uid-{name}"},
            "spec": {"model": "jargon", "source": {"random": {}}},
            "status": {"phase": phase, "conditions": list(conditions), **status},
        }
    )


def a_model(stable):
    return Model.model_validate({"metadata": {"name": "jargon"}, "status": {"stable": stable}})


TRAINED = condition("TrainingComplete", "True", "TrainingSucceeded")
EVALUATED = condition("EvaluationPassed", "True", "EvaluationPassed", "3/3 gates")
DECIDED_AT = 500.2


def the_versions():
    """How the four end in a good run."""
    gates = [
        {
            "metric": "heldout.perplexity",
            "passed": True,
            "value": 300,
            "baseline": 320,
            "samples": 48,
        }
    ]
    good = {"passed": 1, "total": 1, "gates": gates, "baseline": "v1"}
    failed = [{**gates[0], "passed": False, "value": 3900}]
    return {
        "v1": a_version("v1", phase="Superseded", conditions=[TRAINED, EVALUATED]),
        "v2": a_version(
            "v2", phase="Serving", conditions=[TRAINED, EVALUATED], evaluation=good,
            backend="v2-b", rollout={"decidedBy": "Promoted", "message": "250 good of 250"},
        ),
        "v3": a_version(
            "v3", phase="RolledBack", conditions=[TRAINED, EVALUATED], backend="v3-b",
            evaluation={**good, "baseline": "v2"},
            rollout={
                "decidedBy": "AnalysisFailed",
                "decidedAt": utc(DECIDED_AT).isoformat(),
                "message": "refused 6/20 against 0/180",
            },
        ),
        "v4": a_version(
            "v4", phase="Rejected", evaluation={**good, "passed": 0, "gates": failed},
            conditions=[
                TRAINED,
                condition("EvaluationPassed", "False", "GateFailed", "perplexity 3900 > 1000"),
            ],
        ),
    }  # fmt: skip


def the_timeline():
    timeline = a_timeline(
        (100, {"v1": 100}),
        (300, {"v2": 10, "v1": 90}),
        (350, {"v2": 50, "v1": 50}),
        (400, {"v2": 95, "v1": 5}),
        (430, {"v2": 100}),
        (480, {"v3": 10, "v2": 90}),
        (500.3, {"v2": 100}),
    )
    for gateway, at in (("gateway-0", 500.4), ("gateway-1", 500.6)):
        timeline.add_heartbeat(gateway, revision=6, at=481.0)
        timeline.add_heartbeat(gateway, revision=7, at=at)
    return timeline


def the_entries():
    before = [an_entry(f"a{i}", sent=200.0 + i) for i in range(30)]
    canary = [an_entry("c", sent=310.0, version="v2", conversation="k")]
    bad = an_entry("bad", sent=490.0, version="v3", status=400, ok=False, why="status 400")
    after = [an_entry(f"z{i}", sent=501.0 + i / 10, version="v2") for i in range(40)]
    return [*before, *canary, bad, *after]


def a_good_run(**changes):
    """Evidence on which every expectation holds."""
    entries = the_entries()
    rows = [an_attempt(e.request_id, version=e.version, started_at=e.sent) for e in entries]
    copies = [an_attempt("a1", version="v2", shadow=True, started_at=290.0)]
    evidence = Evidence(
        made_at=0.0,
        started_at=60.0,
        ended_at=520.0,
        first_answer_at=120.0,
        peak_pss_bytes=11 << 30,
        timeline=the_timeline(),
        model=a_model("v2"),
        versions=the_versions(),
        phases={"v4": [Phase.PENDING, Phase.TRAINING, Phase.EVALUATING, Phase.REJECTED]},
        replicas={
            "v1-b": {ReplicaSeen(deployment="LLM", replica="1", run=1)},
            "v2-b": {
                ReplicaSeen(deployment="LLM", replica="2", run=2),
                ReplicaSeen(deployment="Ingress", replica="3", run=3),
            },
        },
        entries=entries,
        log=LogEvidence(attempts=(*rows, *copies)),
    )
    return replace(evidence, **changes)
