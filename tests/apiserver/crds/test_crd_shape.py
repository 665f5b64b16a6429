"""What people see of the two kinds: defaults, columns, short names, explain, unknown fields."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from admission import Admission
from kubectl import Kubectl
from manifests import a_model, a_version

from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion

NOW = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
READY = {"type": "Ready", "status": "True", "reason": "Serving", "lastTransitionTime": NOW}


def test_a_model_is_stored_with_the_defaults_of_its_type(stored: Admission) -> None:
    answer = stored.create(a_model(), dry=False)
    assert answer.accepted, answer.message
    spec = answer.body["spec"]
    assert spec["task"] == "text-generation"
    assert spec["serving"]["warmup"] == {"requests": 2, "prompt": "Hello"}
    assert spec["rollout"]["analysis"]["threshold"]["bounds"] == [{"metric": "error", "max": 0.01}]
    assert Model.model_validate(answer.body).spec == Model.model_validate(a_model()).spec


def test_a_version_keeps_what_it_leaves_out_for_its_model(stored: Admission) -> None:
    """A default under an override would come before the Model's own value."""
    body = a_version(serving={"replicas": {"max": 3}}, evaluation={}, rollout={"steps": []})
    answer = stored.create(body, dry=False)
    assert answer.accepted, answer.message
    spec = answer.body["spec"]
    assert spec["serving"] == {"replicas": {"max": 3}}
    assert (spec["evaluation"], spec["rollout"]) == ({}, {"steps": []})
    assert spec["desiredState"] == "Active"
    read = ModelVersion.model_validate(answer.body)
    assert read.spec.sparse()["serving"] == {"replicas": {"max": 3}}


def test_spec_and_status_are_written_apart(stored: Admission) -> None:
    made = stored.create(a_version() | {"status": {"phase": "Serving"}}, dry=False).body
    assert "phase" not in made.get("status", {})
    both = {"spec": {"desiredState": "Paused"}, "status": {"phase": "Training"}}
    told = stored.patch("ModelVersion", "v1", both, dry=False, part="/status").body
    assert told["status"]["phase"] == "Training"
    assert told["spec"] == made["spec"]
    assert told["metadata"]["generation"] == made["metadata"]["generation"] == 1
    both["status"]["phase"] = "Serving"
    wished = stored.patch("ModelVersion", "v1", both, dry=False).body
    assert wished["spec"]["desiredState"] == "Paused"
    assert wished["status"]["phase"] == "Training"
    assert wished["metadata"]["generation"] == 2


def _row(text: str) -> dict[str, str]:
    """Header → cell; columns are where the header's words begin."""
    header, line = text.splitlines()[:2]
    starts = [i for i, c in enumerate(header) if c != " " and (i == 0 or header[i - 1] == " ")]
    ends = [*starts[1:], None]
    pairs = zip(starts, ends, strict=True)
    return {header[a:b].strip(): line[a:b].strip() for a, b in pairs}


def test_the_columns_of_a_version(stored: Admission, kubectl: Kubectl) -> None:
    assert stored.create(a_version(), dry=False).accepted
    status = {
        "phase": "Canary",
        "reason": "AnalysisRunning",
        "progress": "120/400",
        "rollout": {"step": 1, "weightObserved": 25},
        "evaluation": {"passed": 5, "total": 5, "summary": "5/5"},
        "conditions": [READY],
    }
    told = stored.patch("ModelVersion", "v1", {"status": status}, dry=False, part="/status")
    assert told.accepted, told.message
    row = _row(kubectl.said("get", "mv"))
    assert row.pop("AGE")
    assert row == {
        "NAME": "v1",
        "MODEL": "chat",
        "PHASE": "Canary",
        "WEIGHT": "25",
        "EVAL": "5/5",
        "READY": "True",
    }
    wide = _row(kubectl.said("get", "modelversion", "-o", "wide"))
    assert list(wide)[-4:] == ["STEP", "PROGRESS", "REASON", "AGE"]
    assert [wide["STEP"], wide["PROGRESS"], wide["REASON"]] == ["1", "120/400", "AnalysisRunning"]


def test_the_columns_of_a_model(stored: Admission, kubectl: Kubectl) -> None:
    assert stored.create(a_model(pinnedVersion="v1"), dry=False).accepted
    status = {
        "stable": "v1",
        "candidate": "v2",
        "routesRevision": 7,
        "routesApplied": 6,
        "conditions": [READY],
    }
    assert stored.patch("Model", "chat", {"status": status}, dry=False, part="/status").accepted
    wide = _row(kubectl.said("get", "mdl", "-o", "wide"))
    assert wide.pop("AGE")
    assert wide == {
        "NAME": "chat",
        "TASK": "text-generation",
        "STABLE": "v1",
        "CANDIDATE": "v2",
        "READY": "True",
        "ROUTES": "7",
        "APPLIED": "6",
        "PINNED": "v1",
    }
    assert kubectl.said("get", "slipway", "-o", "name") == "model.slipway.dev/chat\n"


EXPLAINED = {
    "mv": "One version of a Model: how its artifact comes to be, and how far its rollout is.",
    "mv.spec.source": "Exactly one way in which the artifact comes to be.",
    "mv.spec.source.training.data.sources": "Files, folders or bundled texts.",
    "mv.spec.rollout.analysis.alpha": "Odds of ever aborting a version that is no worse",
    "mv.status.phase": "Where it stands, for people; scripts read conditions.",
    "mdl.spec.serving.capacityTimeout": "How long a candidate may wait for a node",
    "mdl.spec.serving.replicas": "Serve autoscaling: target is ongoing requests a replica.",
    "mdl.status.routes": "Where traffic goes now.",
}


@pytest.mark.parametrize("path", EXPLAINED)
def test_explain_reads_well(kubectl: Kubectl, path: str) -> None:
    said = " ".join(kubectl.said("explain", path).split())
    assert EXPLAINED[path] in said
    assert "<no description>" not in said


def test_explain_names_values_and_needs(kubectl: Kubectl) -> None:
    said = " ".join(kubectl.said("explain", "mv.spec.desiredState").split())
    assert "ENUM: Active Paused Aborted Retired" in said
    assert "source <Object> -required-" in " ".join(kubectl.said("explain", "mv.spec").split())


TYPO: dict[str, Any] = a_model(serving={"replicaz": {"min": 2}})


def test_an_unknown_field_is_refused_by_kubectl(kubectl: Kubectl) -> None:
    said = kubectl.refused("apply", "-f", "-", body=TYPO)
    assert 'unknown field "spec.serving.replicaz"' in said


def test_an_unknown_field_is_pruned_by_the_api_server(stored: Admission) -> None:
    answer = stored.create(TYPO, dry=False, strict=False)
    assert answer.accepted
    assert "replicaz" not in answer.body["spec"]["serving"]
