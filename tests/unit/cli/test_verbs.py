"""Command lines against an in-memory session: output, effects and exit codes."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli_fakes import Cli

from slipway_cli.client import LiveTraffic
from slipway_cli.errors import ExitCode
from slipway_cli.resources import Kind
from slipway_store.events import Event
from slipway_store.measurements import Measurement

NOW = datetime.now(UTC)
SOURCE = {"random": {}}
MANIFEST = """\
apiVersion: slipway.dev/v1alpha1
kind: Model
metadata: {name: m}
---
apiVersion: slipway.dev/v1alpha1
kind: ModelVersion
metadata: {name: v1}
spec: {model: m, source: {random: {}}}
"""


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def put(cli: Cli, name: str = "v1", phase: str = "Canary", spec: Any = None, **status: Any) -> None:
    body = {"model": "m", "source": SOURCE} | (spec or {})
    cli.objects.put(Kind.VERSION, name, body, {"phase": phase} | status)


def put_model(cli: Cli, spec: Any = None, **status: Any) -> None:
    cli.objects.put(Kind.MODEL, "m", spec or {}, status)


def spec(cli: Cli, name: str = "v1") -> dict[str, Any]:
    return cli.objects.spec(Kind.VERSION, name)


# --- apply and delete


def test_apply(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(MANIFEST)
    first = cli.run("apply", "-f", str(path))
    assert (first.code, first.out) == (0, "mdl/m created\nmv/v1 created\n")
    assert cli.run("apply", "-f", str(path)).out == "mdl/m unchanged\nmv/v1 unchanged\n"
    path.write_text(MANIFEST.replace("source:", "rollout: {autoPromote: false}, source:"))
    assert cli.run("apply", "-f", str(path)).out == "mdl/m unchanged\nmv/v1 configured\n"
    assert spec(cli)["rollout"] == {"autoPromote": False}


def test_one_wrong_document_and_nothing_is_applied(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(MANIFEST.replace("random: {}", "rnadom: {}"))
    ran = cli.run("apply", "-f", str(path))
    assert ran.code == ExitCode.INVALID
    assert "did you mean random?" in ran.err
    assert cli.objects.bodies == {}


def test_a_dry_run_writes_nothing(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(MANIFEST)
    ran = cli.run("apply", "-f", str(path), "--dry-run")
    assert "mv/v1 created (dry run)" in ran.out
    assert cli.objects.bodies == {}


def test_a_late_failure_says_what_was_written(cli: Cli, tmp_path: Path) -> None:
    cli.objects.fail_on_create = "v1"
    path = tmp_path / "m.yaml"
    path.write_text(MANIFEST)
    ran = cli.run("apply", "-f", str(path))
    assert ran.code == ExitCode.CONFLICT
    assert "mv/v1: somebody was quicker; already written: mdl/m created" in ran.err


def test_a_version_without_its_model_is_a_note(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(MANIFEST.split("---\n")[1])
    ran = cli.run("apply", "-f", str(path))
    assert ran.code == 0
    assert "Model m does not exist yet; mv/v1 waits for it" in ran.err


def test_delete_waits_until_it_is_gone(cli: Cli) -> None:
    put(cli)
    cli.objects.scripted = [(Kind.VERSION, "v1", {}), (Kind.VERSION, "v1", None)]
    ran = cli.run("delete", "mv", "v1")
    assert (ran.code, ran.out) == (0, "mv/v1 deleted\n")


def test_delete_without_waiting(cli: Cli) -> None:
    put(cli)
    ran = cli.run("delete", "v1", "--no-wait")
    assert ran.out == "mv/v1 marked for deletion\n"
    assert "deletionTimestamp" in cli.objects.bodies[Kind.VERSION, "v1"]["metadata"]


def test_delete_what_is_not_there(cli: Cli) -> None:
    assert cli.run("delete", "mv", "v1").code == ExitCode.NOT_FOUND
    assert cli.run("delete", "mv", "v1", "--ignore-not-found").code == 0
    assert cli.run("delete", "v1", "--ignore-not-found").code == 0
    assert cli.run("delete").code == ExitCode.INVALID


def test_delete_from_a_file_takes_versions_first(cli: Cli, tmp_path: Path) -> None:
    put_model(cli)
    put(cli)
    (tmp_path / "m.yaml").write_text(MANIFEST)
    ran = cli.run("delete", "-f", str(tmp_path / "m.yaml"), "--no-wait")
    assert ran.out == "mv/v1 marked for deletion\nmdl/m marked for deletion\n"


# --- get, describe, events


def test_get_prints_the_printer_columns(cli: Cli) -> None:
    put(
        cli,
        evaluation={"passed": 5, "total": 5},
        rollout={"weightObserved": 10, "step": 0, "plan": [10, 50]},
    )
    ran = cli.run("get", "mv")
    head, row = ran.out.splitlines()
    assert head.split() == ["NAME", "MODEL", "PHASE", "WEIGHT", "EVAL", "READY", "AGE"]
    assert row.split()[:6] == ["v1", "m", "Canary", "10", "5/5", "<none>"]
    wide = cli.run("get", "modelversions", "-o", "wide").out.splitlines()
    assert {"STEP", "PROGRESS", "REASON"} <= set(wide[0].split())
    assert "1/2" in wide[1].split()


@pytest.mark.parametrize("kind", ["models", "mdl", "model", "Models", "mdl/m"])
def test_get_models_under_every_name(cli: Cli, kind: str) -> None:
    put_model(cli, stable="v1")
    assert cli.run("get", kind).out.splitlines()[1].split()[:3] == ["m", "text-generation", "v1"]


def test_get_as_data_can_be_applied_again(cli: Cli, tmp_path: Path) -> None:
    put_model(cli)
    put(cli)
    text = cli.run("get", "mv", "-o", "yaml").out
    assert yaml.safe_load(text)["kind"] == "List"
    one = json.loads(cli.run("get", "mv", "v1", "-o", "json").out)
    assert one["spec"] == {"model": "m", "source": SOURCE}
    (tmp_path / "all.yaml").write_text(text)
    assert cli.run("apply", "-f", str(tmp_path / "all.yaml")).out == "mv/v1 unchanged\n"


def test_get_nothing(cli: Cli) -> None:
    ran = cli.run("get", "mv")
    assert (ran.code, ran.out) == (0, "")
    assert "slipway apply" in ran.err
    assert cli.run("get", "mv", "v1").code == ExitCode.NOT_FOUND


def test_get_an_unknown_kind(cli: Cli) -> None:
    ran = cli.run("get", "modls")
    assert ran.code == ExitCode.INVALID
    assert "did you mean models?" in ran.err


def test_get_of_one_model(cli: Cli) -> None:
    put(cli)
    put(cli, "w1", spec={"model": "other"})
    assert cli.run("get", "mv", "-m", "other").out.splitlines()[1].split()[0] == "w1"
    assert cli.run("get", "models", "-m", "m").code == ExitCode.INVALID


def without_ages(text: str) -> str:
    """A second may pass between two looks."""
    return re.sub(r"\b(\d+[dhms])+\b", "AGE", text)


def test_describe_a_version(cli: Cli) -> None:
    put(
        cli,
        "v3",
        "RolledBack",
        conditions=[
            {
                "type": "Promoted",
                "status": "False",
                "reason": "AnalysisFailed",
                "message": "refused 14 of 40",
                "lastTransitionTime": NOW.isoformat(),
            }
        ],
        training={"run": "v3-train", "step": 9, "maxSteps": 10, "loss": 1.25},
        evaluation={
            "passed": 1,
            "total": 1,
            "gates": [{"metric": "held.loss", "passed": True, "value": 1.5, "samples": 64}],
        },
        rollout={
            "plan": [10, 50],
            "decidedBy": "AnalysisFailed",
            "steps": [
                {"step": 0, "weight": 10, "startedAt": NOW.isoformat(), "requests": 40, "bad": 14}
            ],
        },
        history=[
            {"attempt": "a1", "phase": "Failed", "reason": "TrainingFailed", "at": NOW.isoformat()}
        ],
        lineage={"parent": "sha256:p"},
    )
    cli.events.rows = [
        Event(
            id=1,
            at=NOW,
            kind="ModelVersion",
            namespace="default",
            name="v3",
            type="Warning",
            reason="AnalysisFailed",
            message="taken back",
        )
    ]
    out = cli.run("describe", "v3").out
    for part in (
        "ModelVersion v3",
        "RolledBack",
        "refused 14 of 40",
        "9/10",
        "held.loss",
        "passed",
        "10 % → 50 %",
        "TrainingFailed",
        "parent: sha256:p",
        "taken back",
        "random: {}",
    ):
        assert part in out
    assert without_ages(cli.run("describe", "mv", "v3").out) == without_ages(out)
    assert without_ages(cli.run("describe", "mv/v3").out) == without_ages(out)


def test_describe_a_model(cli: Cli) -> None:
    put_model(cli, stable="v1", candidate="v2", routes=[{"version": "v1", "weight": 90}])
    out = cli.run("describe", "m").out
    assert "Candidate:" in out
    assert "90" in out


def test_events(cli: Cli) -> None:
    values = {"at": NOW, "kind": "ModelVersion", "namespace": "default", "type": "Normal"}
    cli.events.rows = [
        Event(id=n, name=name, reason="Promoted", message=f"text {n}", **values)
        for n, name in ((1, "v1"), (2, "v2"))
    ]
    assert "ModelVersion/v2" in cli.run("events").out
    assert "text 1" not in cli.run("events", "mv/v2").out
    assert cli.run("events", "v9").err == "no events\n"


# --- wait and watch


def test_wait_until_a_phase(cli: Cli) -> None:
    put(cli)
    cli.objects.scripted = [(Kind.VERSION, "v1", {"phase": p}) for p in ("Promoting", "Serving")]
    assert cli.run("wait", "v1", "--for", "phase=serving").code == 0


def test_wait_ends_at_once_when_it_can_no_longer_be(cli: Cli) -> None:
    put(cli)
    cli.objects.scripted = [(Kind.VERSION, "v1", {"phase": "RolledBack"})]
    ran = cli.run("wait", "v1")
    assert ran.code == ExitCode.FAILED
    assert "ended as RolledBack" in ran.err


def test_wait_does_not_take_an_older_attempts_end_for_the_end(cli: Cli) -> None:
    put(cli, phase="RolledBack")
    cli.objects.bodies[Kind.VERSION, "v1"]["metadata"]["generation"] = 2
    cli.objects.scripted = [
        (Kind.VERSION, "v1", {"phase": "Serving", "observedGeneration": 2}),
    ]
    assert cli.run("wait", "v1").code == 0


def test_wait_for_a_condition(cli: Cli) -> None:
    put_model(cli)
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Serving",
        "lastTransitionTime": NOW.isoformat(),
    }
    cli.objects.scripted = [(Kind.MODEL, "m", {"conditions": [ready]})]
    assert cli.run("wait", "m", "--for", "condition=Ready").code == 0
    assert cli.run("wait", "m", "--for", "phase=Serving").code == ExitCode.INVALID


def test_wait_times_out(cli: Cli) -> None:
    put(cli)
    cli.objects.endless = True
    ran = cli.run("wait", "v1", "--timeout", "10ms")
    assert ran.code == ExitCode.TIMED_OUT
    assert "v1: not after 10ms; it is Canary" in ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--for", "phase=Servng"), "did you mean Serving?"),
        (("--for", "condition=Redy"), "did you mean Ready?"),
        (("--for", "ready"), "write phase=Serving"),
        (("--timeout", "5 min"), "is not a duration"),
    ],
)
def test_wait_for_nonsense(cli: Cli, arguments: tuple[str, ...], message: str) -> None:
    ran = cli.run("wait", "v1", *arguments)
    assert ran.code == ExitCode.INVALID
    assert message in ran.err


def test_wait_for_what_is_gone(cli: Cli) -> None:
    assert cli.run("wait", "mv/v1", "--for", "delete").code == 0
    assert cli.run("wait", "mv/v1").code == ExitCode.NOT_FOUND


def test_watch_prints_each_change_and_ends_with_the_rollout(cli: Cli) -> None:
    put(cli, phase="Training")
    cli.objects.scripted = [
        (Kind.VERSION, "v1", {"training": {"step": 5}}),
        (Kind.VERSION, "v1", {"phase": "Canary", "rollout": {"weightObserved": 10}}),
        (Kind.VERSION, "v1", {"phase": "Serving"}),
    ]
    ran = cli.run("watch", "v1")
    assert [line.split()[1:] for line in ran.out.splitlines()] == [
        ["mv/v1", "Training"],
        ["mv/v1", "Canary", "10", "%"],
        ["mv/v1", "Serving", "10", "%"],
    ]
    assert ran.code == 0


def test_watch_fails_where_the_rollout_does(cli: Cli) -> None:
    put(cli)
    cli.objects.scripted = [(Kind.VERSION, "v1", {"phase": "RolledBack"})]
    ran = cli.run("watch", "v1")
    assert ran.code == ExitCode.FAILED
    assert "ended as RolledBack" in ran.err


# --- steering


def test_pause_and_resume(cli: Cli) -> None:
    put(cli)
    assert cli.run("pause", "v1").out == "mv/v1 paused\n"
    assert spec(cli)["desiredState"] == "Paused"
    assert cli.run("pause", "v1").out == "mv/v1: nothing to pause\n"
    assert cli.run("resume", "v1").out == "mv/v1 resumed\n"
    assert spec(cli)["desiredState"] == "Active"


def test_a_verb_wins_against_the_operators_status_writes(cli: Cli) -> None:
    put(cli)
    cli.objects.conflicts = 3
    assert cli.run("pause", "v1").code == 0
    assert spec(cli)["desiredState"] == "Paused"
    cli.objects.conflicts = 50
    assert cli.run("resume", "v1").code == ExitCode.CONFLICT


@pytest.mark.parametrize("phase", ["Failed", "Rejected", "RolledBack", "Superseded", "Serving"])
def test_nothing_to_pause(cli: Cli, phase: str) -> None:
    put(cli, phase=phase)
    ran = cli.run("pause", "v1")
    assert ran.code == ExitCode.CONFLICT
    assert phase in ran.err


def test_abort_once_twice_and_when_nothing_runs(cli: Cli) -> None:
    put(cli)
    assert cli.run("abort", "v1").out == "mv/v1 aborted\n"
    again = cli.run("abort", "v1")
    assert (again.code, again.out) == (0, "mv/v1: nothing to abort\n")
    put(cli, "v2", "RolledBack")
    assert cli.run("abort", "v2").out == "mv/v2: nothing to abort\n"
    assert "desiredState" not in spec(cli, "v2")


def test_the_version_that_serves_is_not_aborted(cli: Cli) -> None:
    put(cli, phase="Serving")
    ran = cli.run("abort", "v1")
    assert ran.code == ExitCode.CONFLICT
    assert "slipway undo m" in ran.err


def test_a_models_name_where_a_version_is_meant(cli: Cli) -> None:
    put_model(cli, candidate="v2")
    ran = cli.run("abort", "m")
    assert ran.code == ExitCode.NOT_FOUND
    assert "slipway abort v2" in ran.err


def test_a_versions_name_where_a_model_is_meant(cli: Cli) -> None:
    put(cli)
    ran = cli.run("undo", "v1")
    assert ran.code == ExitCode.NOT_FOUND
    assert "slipway undo m" in ran.err


def test_retry_is_a_new_nonce_and_active_again(cli: Cli) -> None:
    put(cli, phase="RolledBack", spec={"desiredState": "Aborted", "retry": {"id": "old"}})
    assert cli.run("retry", "v1").out == "mv/v1 retried\n"
    assert spec(cli)["desiredState"] == "Active"
    assert spec(cli)["retry"]["id"] not in {"", "old"}


def test_no_retry_of_what_runs(cli: Cli) -> None:
    put(cli)
    assert cli.run("retry", "v1").code == ExitCode.CONFLICT


def test_no_resume_of_what_was_aborted(cli: Cli) -> None:
    put(cli, phase="RolledBack", spec={"desiredState": "Aborted"})
    ran = cli.run("resume", "v1")
    assert ran.code == ExitCode.CONFLICT
    assert "slipway retry v1" in ran.err


def test_approve(cli: Cli) -> None:
    put(cli, phase="AwaitingApproval")
    assert cli.run("approve", "v1").out == "mv/v1 approved\n"
    assert spec(cli)["approval"] == {"granted": True}
    assert cli.run("approve", "v1").out == "mv/v1: nothing to approve\n"


ARTIFACT = {"uri": "file:///a", "digest": "sha256:" + "0" * 64}


def test_promote_pins_and_unpin_lets_go(cli: Cli) -> None:
    put_model(cli, {"default": True})
    put(cli, artifact=ARTIFACT)
    assert cli.run("promote", "v1").out.startswith("mdl/m pinned to v1")
    assert cli.objects.spec(Kind.MODEL, "m") == {"default": True, "pinnedVersion": "v1"}
    assert "already" in cli.run("promote", "v1").out
    assert cli.run("unpin", "m").out == "mdl/m unpinned\n"
    assert cli.objects.spec(Kind.MODEL, "m") == {"default": True}
    assert cli.run("unpin", "m").out == "mdl/m was not pinned\n"


@pytest.mark.parametrize("phase", ["Failed", "Rejected", "RolledBack", "Training"])
def test_no_promotion_of_what_cannot_serve(cli: Cli, phase: str) -> None:
    put_model(cli)
    put(cli, phase=phase)
    assert cli.run("promote", "v1").code == ExitCode.CONFLICT


def test_no_promotion_beside_a_fixed_split(cli: Cli) -> None:
    put_model(cli, {"traffic": [{"version": "v1", "weight": 100}]})
    put(cli, artifact=ARTIFACT)
    ran = cli.run("promote", "v1")
    assert ran.code == ExitCode.CONFLICT
    assert "spec.traffic" in ran.err


def test_undo_goes_to_the_version_before(cli: Cli) -> None:
    put_model(cli, stable="v2", previous="v1")
    cli.run("undo", "m")
    assert cli.objects.spec(Kind.MODEL, "m")["pinnedVersion"] == "v1"


def test_undo_after_the_watch_takes_the_last_that_was_superseded(cli: Cli) -> None:
    put_model(cli, stable="v3")
    for index, name in enumerate(("v1", "v2")):
        at = (NOW + timedelta(hours=index)).isoformat()
        put(cli, name, "Superseded", rollout={"promotedAt": at})
    cli.run("undo", "m")
    assert cli.objects.spec(Kind.MODEL, "m")["pinnedVersion"] == "v2"


def test_undo_without_a_version_before(cli: Cli) -> None:
    put_model(cli, stable="v1")
    assert cli.run("undo", "m").code == ExitCode.CONFLICT


def test_rollback_aborts_the_candidate_or_undoes(cli: Cli) -> None:
    put_model(cli, stable="v1", candidate="v2", previous="v0")
    put(cli, "v2")
    assert cli.run("rollback", "m").out == "mv/v2 aborted\n"
    put_model(cli, stable="v2", previous="v1")
    assert cli.run("rollback", "m").out.startswith("mdl/m pinned to v1")


# --- logs, keys, rollout, and the rest


def test_logs_of_a_process(cli: Cli) -> None:
    logs = cli.home / "logs"
    logs.mkdir()
    (logs / "gateway-0.log").write_text("one\ntwo\n")
    (logs / "gateway-1.log").write_text("three\n")
    ran = cli.run("logs", "-p", "gateway", "--tail", "1")
    assert ran.out == "two\nthree\n"
    assert "==> gateway-1 <==" in ran.err
    missing = cli.run("logs", "-p", "operator")
    assert missing.code == ExitCode.NOT_FOUND
    assert "gateway-0, gateway-1" in missing.err


def test_logs_of_a_versions_runs(cli: Cli) -> None:
    from slipway_contracts.names import child_name

    put(cli, attempt="abc123")
    train, evaluation, other = (
        child_name(name, f"uid-{name}", "abc123", kind)
        for name, kind in (("v1", "train"), ("v1", "eval-5e7a"), ("v2", "train"))
    )
    for run in (train, evaluation, other):
        folder = cli.home / "runs" / "m" / run
        folder.mkdir(parents=True)
        (folder / "log").write_text(f"of {run}\n")
    assert sorted(cli.run("logs", "v1").out.splitlines()) == [f"of {evaluation}", f"of {train}"]
    assert cli.run("logs", "v1", "--run", "eval").out == f"of {evaluation}\n"
    assert cli.run("logs", "v1", "--run", "import").code == ExitCode.NOT_FOUND


def test_logs_of_nothing_or_both(cli: Cli) -> None:
    assert cli.run("logs").code == ExitCode.INVALID
    assert cli.run("logs", "v1", "-p", "gateway").code == ExitCode.INVALID


def test_keys(cli: Cli) -> None:
    made = cli.run("keys", "create", "ci", "--model", "m", "--expires", "720h")
    assert made.out == "slw_id0_secret\n"
    assert "cannot be shown again" in made.err
    assert cli.run("keys", "list").out.splitlines()[1].split()[:4] == ["id0", "ci", "m", "live"]
    assert "secret" not in cli.run("keys", "list", "-o", "json").out
    assert cli.run("keys", "revoke", "id0").out == "key id0 revoked\n"
    assert cli.run("keys", "revoke", "zz").code == ExitCode.NOT_FOUND
    assert cli.run("keys", "create", "ci", "--expires", "soon").code == ExitCode.INVALID


def test_rollout_status(cli: Cli) -> None:
    put_model(cli, candidate="v1")
    put(cli, rollout={"step": 1, "plan": [10, 50], "weightObserved": 50, "weightDesired": 50})
    cli.evidence.measurement = Measurement(
        model="m",
        version="v1",
        attempt="a",
        step=1,
        at=NOW,
        verdict="Continue",
        body={
            "message": "needs 40 more",
            "metrics": [
                {
                    "metric": "error",
                    "verdict": "Continue",
                    "candidate_n": 100,
                    "candidate_bad": 1,
                    "stable_n": 100,
                    "stable_bad": 2,
                    "pass_log_e": 1.0,
                    "pass_threshold": 3.0,
                }
            ],
        },
    )
    out = cli.run("rollout", "status", "m").out
    for part in ("10 % → [50 %]", "Continue", "needs 40 more", "1/100", "2/100", "1.0/3.0"):
        assert part in out


def test_rollout_simulate_is_seeded_and_shows_the_fixed_rules(cli: Cli) -> None:
    line = ("rollout", "simulate", "--rps", "20", "--candidate", "0.3", "--rollouts", "20")
    first, second = cli.run(*line), cli.run(*line)
    assert first.code == 0
    assert first.out == second.out
    assert "interval rule" in first.out
    assert "step rule" in first.out
    sequential = next(li for li in first.out.splitlines() if li.startswith("sequential"))
    assert "100.0%" in sequential


def test_rollout_simulate_of_a_model_takes_its_settings_and_its_traffic(cli: Cli) -> None:
    put_model(cli, {"rollout": {"steps": [{"weight": 30}, {"weight": 60}]}}, stable="v1")
    cli.evidence.traffic = LiveTraffic(requests=1000, requests_per_second=7.5, bad=10)
    out = cli.run("rollout", "simulate", "-m", "m", "--rollouts", "5", "--candidate", "0.2").out
    assert "7.5 requests/s, stable 0.01 bad, candidate 0.2 bad; 30 % → 60 %" in out


def test_rollout_simulate_judges_by_plain_bounds_where_the_model_does(cli: Cli) -> None:
    bounds = {"threshold": {"bounds": [{"metric": "error", "max": 0.05}], "failureLimit": 1}}
    put_model(cli, {"rollout": {"analysis": {"mode": "Threshold", **bounds}}})
    out = cli.run("rollout", "simulate", "-m", "m", "--rollouts", "5", "--candidate", "0.9").out
    assert "threshold (the plan's bounds)" in out


def test_rollout_simulate_refuses_nonsense(cli: Cli) -> None:
    assert cli.run("rollout", "simulate", "--rps", "0").code == ExitCode.INVALID
    assert cli.run("rollout", "simulate", "--stable", "2").code == ExitCode.INVALID


def test_before_up_every_verb_says_so(cli: Cli) -> None:
    cli.running = False
    for line in (("get", "mv"), ("describe", "v1"), ("keys", "list"), ("abort", "v1")):
        ran = cli.run(*line)
        assert ran.code == ExitCode.NOT_RUNNING
        assert "slipway up" in ran.err
    assert cli.run("chat", "m", "hi").code == ExitCode.NOT_RUNNING


@pytest.mark.parametrize("line", [("nonsense",), ("get",), ("get", "mv", "--nonsense"), ("apply",)])
def test_usage_errors(cli: Cli, line: tuple[str, ...]) -> None:
    assert cli.run(*line).code == ExitCode.INVALID


def test_help_names_the_exit_codes(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run("--help").code == 0
    shown = " ".join(capsys.readouterr().out.split())
    for part in ("3 not running", "130 interrupted", "rollback"):
        assert part in shown
