"""Acceptance, attempts and the runs that make an artifact."""

from __future__ import annotations

import pytest
from builders import (
    a_model,
    a_model_version,
    a_run,
    a_snapshot,
    an_artifact,
    at,
    backend_of,
)
from decided import decided

from slipway_contracts.conditions import Phase, Reason
from slipway_contracts.model_version import HistoryEntry
from slipway_contracts.names import attempt_id, child_name
from slipway_contracts.run import Progress, RunResult
from slipway_operator.core.decision import ImportRequest, TrainRequest
from slipway_operator.core.draft import Draft, VersionDraft
from slipway_operator.core.snapshot import RunObservation

LORA = {"method": "lora", "base": {"version": "v1"}}


@pytest.mark.parametrize(
    ("model", "version", "expected", "words"),
    [
        pytest.param(a_model(), a_model_version(), "True/Accepted", "attempt 1", id="accepted"),
        pytest.param(None, a_model_version(), "False/ModelNotFound", "apply it", id="no-model"),
        pytest.param(
            a_model().with_spec(serving={"mode": "AdapterOnStable"}),
            a_model_version(),
            "False/ModeNotSupported",
            "AdapterOnStable is not supported",
            id="adapter-on-stable",
        ),
        pytest.param(
            a_model().with_spec(serving={"replicas": {"min": 1, "max": 2}}),
            a_model_version().serving(replicas={"min": 4}),
            "False/Invalid",
            "replicas",
            id="override-does-not-fit",
        ),
        pytest.param(
            a_model(),
            a_model_version().source(adapter={"base": "v1", "uri": "file:///a"}),
            "False/Invalid",
            "names itself",
            id="its-own-base",
        ),
    ],
)
def test_acceptance(model, version, expected, words):
    result = decided(a_snapshot(model, version, backends=()))
    assert result.said("Accepted", "v1") == expected
    assert words in result.condition("Accepted", "v1").message


def test_the_effective_serving_is_snapshotted_and_survives_edits_of_the_model():
    version = a_model_version().serving(drainSeconds=7)
    first = decided(a_snapshot(a_model(), version, backends=())).status("v1")
    assert first.serving.drain_seconds == 7
    edited = a_model().with_spec(serving={"engine": {"maxModelLen": 64}})
    later = a_snapshot(edited, version.with_status(**dict(first)), backends=())
    assert decided(later).status("v1").serving == first.serving


def test_children_are_named_by_uid_and_attempt_never_by_generation():
    status = decided(a_snapshot(a_model(), a_model_version(), backends=())).status("v1")
    assert status.backend == child_name("v1", "uid-v1", attempt_id(""))


RETRIES = [
    pytest.param(Phase.FAILED, Reason.TRAINING_FAILED, True, id="15-retry-after-failed"),
    pytest.param(Phase.REJECTED, Reason.GATE_FAILED, True, id="15-retry-after-rejected"),
    pytest.param(Phase.ROLLED_BACK, Reason.ANALYSIS_FAILED, True, id="15-retry-after-rolled-back"),
    pytest.param(Phase.RETIRED, Reason.RETIRED, True, id="15-retry-after-retired"),
    pytest.param(Phase.FAILED, Reason.DIGEST_MISMATCH, False, id="15-retry-remakes-a-bad-artifact"),
]


@pytest.mark.parametrize(("phase", "reason", "keeps"), RETRIES)
def test_a_new_nonce_after_the_end_is_a_clean_restart(phase, reason, keeps):
    old = a_model_version("v2").canary().ended(phase, reason, 5)
    stable = a_model_version("v1").serving_since()
    result = decided(a_snapshot(a_model(), stable, old.retry("again"), backends=()))
    status = result.status()
    assert status.attempt == attempt_id("again")
    assert status.attempt_number == 2
    assert status.outcome is None and status.ending is None and status.rollout is None
    assert (status.artifact is not None) == keeps
    assert status.history == (
        HistoryEntry(attempt=attempt_id(""), phase=phase, reason=reason, at=at(5)),
    )
    assert status.backend != old.status.backend
    assert "Retried" in result.reasons


def test_history_keeps_ten_attempts():
    entry = HistoryEntry(attempt="a", phase=Phase.FAILED, reason=Reason.INVALID, at=at(0))
    old = a_model_version("v2").canary().ended(Phase.ROLLED_BACK, Reason.ABORTED)
    old = old.with_status(history=(entry,) * 10).retry("x")
    history = decided(a_snapshot(a_model(), old, backends=())).status().history
    assert len(history) == 10 and history[-1].reason is Reason.ABORTED


def test_a_new_nonce_while_the_attempt_goes_on_waits_for_its_end():
    stable, canary = a_model_version("v1").serving_since(), a_model_version("v2").canary()
    result = decided(a_snapshot(a_model(), stable, canary.retry("x")))
    assert result.status().attempt == canary.status.attempt
    assert result.weights == {"v2": 10, "v1": 90}


def test_a_terminal_state_stays_without_a_new_nonce():
    over = a_model_version("v2").canary().ended(Phase.ROLLED_BACK, Reason.ANALYSIS_FAILED)
    result = decided(a_snapshot(a_model(), over.desired("Aborted"), backends=()))
    assert result.phase() == "RolledBack"
    assert result.listed == set()


# training and import


@pytest.mark.parametrize(
    ("version", "kind", "request_type", "limit"),
    [
        pytest.param(a_model_version().trained(), "train", TrainRequest, 2, id="train"),
        pytest.param(
            a_model_version().trained(backoffLimit=5), "train", TrainRequest, 5, id="backoff-limit"
        ),
        pytest.param(a_model_version(), "import", ImportRequest, 2, id="random"),
        pytest.param(
            a_model_version().source(artifact={"uri": "hf://x/y", "revision": "abc"}),
            "import",
            ImportRequest,
            2,
            id="artifact",
        ),
    ],
)
def test_the_run_that_makes_the_artifact(version, kind, request_type, limit):
    result = decided(a_snapshot(a_model(), version, backends=()))
    (run,) = result.decision.runs
    assert run.name == child_name("v1", "uid-v1", attempt_id(""), kind)
    assert isinstance(run.request, request_type)
    assert run.backoff_limit == limit
    assert result.phase("v1") == "Training"
    assert result.decision.requeue_after is not None


BASES = [
    pytest.param(None, "does not exist", id="missing"),
    pytest.param(a_model_version("v1"), "waits for base", id="not-made-yet"),
    pytest.param(
        a_model_version("v1").accepted().ended(Phase.FAILED, Reason.TRAINING_FAILED),
        "ended without an artifact",
        id="failed",
    ),
]


@pytest.mark.parametrize(("base", "words"), BASES)
@pytest.mark.parametrize(
    "source",
    [
        pytest.param({"training": {"data": {"sources": ["x"]}, **LORA}}, id="lora"),
        pytest.param({"adapter": {"base": "v1", "uri": "file:///a"}}, id="adapter"),
    ],
)
def test_a_version_waits_for_its_base(source, base, words):
    versions = [a_model_version("v2").source(**source)] + ([base] if base else [])
    result = decided(a_snapshot(a_model(), *versions, backends=()))
    assert result.said("TrainingComplete") == "False/BaseNotReady"
    assert words in result.condition("TrainingComplete").message
    assert all(run.version != "v2" for run in result.decision.runs)
    assert result.phase() == "Pending"


def test_a_base_is_resolved_to_its_artifact():
    child = a_model_version("v2").trained(**LORA)
    result = decided(a_snapshot(a_model(), a_model_version("v1").with_artifact(), child))
    (run,) = [run for run in result.decision.runs if run.version == "v2"]
    assert run.request.base == an_artifact("v1")


ENDS = [
    pytest.param({"state": "running"}, None, "False/TrainingRunning", id="running"),
    pytest.param({"state": "lost"}, None, "False/TrainingRunning", id="lost-is-started-again"),
    pytest.param({}, None, "True/TrainingSucceeded", id="succeeded"),
    pytest.param(
        {"state": "failed", "exit_code": 78},
        "Failed/TrainingFailed",
        "False/TrainingFailed",
        id="failed",
    ),
    pytest.param(
        {"state": "failed", "reason": Reason.OOM_KILLED, "message": "use a smaller batch"},
        "Failed/OOMKilled",
        "False/OOMKilled",
        id="out-of-memory",
    ),
    pytest.param({"result": None}, "Failed/TrainingFailed", "False/TrainingFailed", id="no-result"),
    pytest.param(
        {"result": RunResult(error="disk is full")},
        "Failed/TrainingFailed",
        "False/TrainingFailed",
        id="no-artifact",
    ),
]


def test_what_a_training_waits_for_is_said():
    version = a_model_version().trained()
    seen = a_run(version, "train", "running", message="0/1 nodes are available")
    result = decided(a_snapshot(a_model(), version, backends=(), runs=(seen,)))
    told = result.condition("TrainingComplete", "v1").message
    assert told == f"run {seen.name}: 0/1 nodes are available"


@pytest.mark.parametrize(("seen", "outcome", "condition"), ENDS)
def test_how_a_training_ends(seen, outcome, condition):
    version = a_model_version().trained()
    result = decided(
        a_snapshot(a_model(), version, backends=(), runs=(a_run(version, "train", **seen),))
    )
    assert result.outcome("v1") == outcome
    assert result.said("TrainingComplete", "v1") == condition
    running = seen.get("state") in {"running", "lost"}
    assert bool(result.decision.runs) == running


def test_an_import_that_fails_says_so():
    version = a_model_version().source(artifact={"uri": "file:///x"})
    seen = a_run(version, "import", "failed", reason=Reason.ARTIFACT_REFUSED, message="pickle")
    result = decided(a_snapshot(a_model(), version, backends=(), runs=(seen,)))
    assert result.outcome("v1") == "Failed/ArtifactRefused"
    assert result.said("ArtifactVerified", "v1") == "Unknown/ArtifactRefused"


def test_progress_and_lineage_reach_the_status():
    version = a_model_version().trained()
    progress = Progress(at=0, step=40, max_steps=200, loss=3.5, tokens_per_second=900)
    seen = a_run(version, "train", "running", progress=progress, restarts=1)
    first = decided(a_snapshot(a_model(), version, backends=(), runs=(seen,)))
    training = first.status("v1").training
    assert (training.step, training.max_steps, training.loss) == (40, 200, 3.5)
    assert training.restarts == 1
    silent = a_run(version, "train", "running", progress=Progress(at=1, step=41, max_steps=0))
    version = version.with_status(**dict(first.status("v1")))
    later = decided(a_snapshot(a_model(), version, backends=(), runs=(silent,))).status("v1")
    assert (later.training.step, later.training.max_steps, later.training.loss) == (41, 200, 3.5)
    done = decided(a_snapshot(a_model(), version, backends=(), runs=(a_run(version, "train"),)))
    assert done.status("v1").lineage.dataset_digest == "d"
    bare = a_run(version, "train", result=RunResult(artifact=an_artifact("v1")))
    done = decided(a_snapshot(a_model(), version, backends=(), runs=(bare,)))
    assert done.status("v1").lineage is None


def test_21_a_run_that_the_platform_forgot_does_not_run_again():
    version = a_model_version().trained().with_artifact()
    result = decided(a_snapshot(a_model(), version, backends=(), runs=()))
    assert result.decision.runs == ()
    assert result.said("TrainingComplete", "v1") == "True/TrainingSucceeded"


def test_an_edit_of_the_spec_makes_no_second_run():
    version = a_model_version().trained()
    running = RunObservation(
        name=child_name("v1", "uid-v1", attempt_id(""), "train"), state="running"
    )
    paused = decided(a_snapshot(a_model(), version.desired("Paused"), backends=(), runs=(running,)))
    assert [run.name for run in paused.decision.runs] == [running.name]
    assert paused.phase("v1") == "Paused"


def test_without_a_model_nothing_is_desired():
    serving = a_model_version().serving_since()
    result = decided(a_snapshot(None, serving, backends=(backend_of(serving),)))
    assert result.decision.route is None
    assert result.listed == set()
    assert result.decision.model_status is None


def test_a_draft_without_a_model_has_nothing_to_offer():
    version = a_model_version()
    draft = Draft.of(a_snapshot(None, version, backends=()))
    (only,) = draft
    assert isinstance(only, VersionDraft)
    assert only.serving is not None and not draft.pinned
