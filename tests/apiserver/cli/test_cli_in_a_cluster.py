"""The command with a cluster: a real API server, and nothing that only PostgreSQL has."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from slipway_cli.errors import ExitCode
from slipway_cli.local.layout import Layout
from slipway_cli.main import main
from slipway_cli.shell import Shell
from slipway_cli.terminal import Terminal
from slipway_cluster.controlplane import ControlPlane

GROUP = "/apis/slipway.dev/v1alpha1"
MERGE = "application/merge-patch+json"
MANIFEST = """\
apiVersion: slipway.dev/v1alpha1
kind: ModelVersion
metadata: {name: v1}
spec: {model: m, source: {random: {}}, rollout: {steps: [{weight: 10}, {weight: 50}]}}
---
apiVersion: slipway.dev/v1alpha1
kind: Model
metadata: {name: m}
"""


@dataclass
class Ran:
    code: int
    out: str
    err: str


class Person:
    """Runs `slipway` against one namespace, and plays the operator's part in it."""

    def __init__(self, plane: ControlPlane, namespace: str, home: Path) -> None:
        self.plane, self.namespace, self.home = plane, namespace, home

    def slipway(self, *arguments: str) -> Ran:
        where = ("--kubeconfig", str(self.plane.kubeconfig), "--namespace", self.namespace)
        return self.run(*where, *arguments)

    def run(self, *arguments: str) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        terminal = Terminal(
            out=Console(file=out, highlight=False, markup=False, soft_wrap=True),
            err=Console(file=err, highlight=False, markup=False, soft_wrap=True),
        )
        code = main(arguments, shell=Shell(terminal=terminal, layout=Layout(self.home)))
        return Ran(code, out.getvalue(), err.getvalue())

    def ok(self, *arguments: str) -> str:
        ran = self.slipway(*arguments)
        assert ran.code == 0, ran.err
        return ran.out

    def status(self, plural: str, name: str, status: dict[str, Any]) -> None:
        path = f"{GROUP}/namespaces/{self.namespace}/{plural}/{name}/status"
        self.plane.request("PATCH", path, {"status": status}, content_type=MERGE)

    def tell(self, name: str, message: str) -> None:
        """An event, as the operator writes them."""
        body = {
            "metadata": {"name": f"{name}.{abs(hash(message))}", "namespace": self.namespace},
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": "slipway.dev/operator",
            "reportingInstance": "test",
            "action": "Reconcile",
            "reason": "InProgress",
            "type": "Normal",
            "note": message,
            "regarding": {
                "apiVersion": "slipway.dev/v1alpha1",
                "kind": "ModelVersion",
                "name": name,
                "namespace": self.namespace,
            },
        }
        path = f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events"
        self.plane.request("POST", path, body)

    def spec(self, plural: str, name: str) -> dict[str, Any]:
        path = f"{GROUP}/namespaces/{self.namespace}/{plural}/{name}"
        found: dict[str, Any] = self.plane.request("GET", path)["spec"]
        return found


@pytest.fixture
def person(plane: ControlPlane, namespace: str, tmp_path: Path) -> Person:
    """With v1 and its Model applied, and v1 on its first step."""
    made = Person(plane, namespace, tmp_path)
    file = tmp_path / "m.yaml"
    file.write_text(MANIFEST)
    assert made.ok("apply", "-f", str(file)) == "mdl/m created\nmv/v1 created\n"
    made.status(
        "modelversions",
        "v1",
        {
            "phase": "Canary",
            "attempt": "abc",
            "observedGeneration": 1,
            "rollout": {
                "step": 0, "plan": [10, 50], "weightDesired": 10, "weightObserved": 10,
                "startedAt": "2026-01-01T00:00:00Z", "verdict": "Continue", "message": "on it",
                "steps": [{"step": 0, "weight": 10, "startedAt": "2026-01-01T00:00:00Z",
                           "requests": 120, "bad": 1}],
            },
        },
    )  # fmt: skip
    made.status("models", "m", {"candidate": "v1", "routesRevision": 2, "routesApplied": 2})
    return made


def test_reading(person: Person) -> None:
    assert "v1     m       Canary" in person.ok("get", "mv")
    assert json.loads(person.ok("get", "mv", "v1", "-o", "json"))["status"]["phase"] == "Canary"
    person.tell("v1", "weight 0 % → 10 %")
    assert "weight 0 % → 10 %" in person.ok("describe", "v1")
    person.tell("v1", "second")
    events = person.ok("events", "v1").splitlines()
    assert [line.rpartition("   ")[2] for line in events[1:]] == ["weight 0 % → 10 %", "second"]
    assert "mv/v1 of m: Canary" in person.ok("rollout", "status", "m")
    told = person.ok("rollout", "explain", "m")
    assert "cannot be read from here" in told
    assert "step 1 (10 %): 120 requests, 1 bad" in told
    screen = person.ok("status")
    assert "--prometheus URL" in screen
    assert "10 %" in screen
    body = json.loads(person.ok("status", "--json"))
    assert body["versions"][0]["observed"] == 10
    assert body["versions"][0]["figures"]["requests"] is None
    assert "Canary" in person.ok("top")
    page = person.home / "v1.html"
    person.ok("report", "v1", "-o", str(page))
    assert "made outside the cluster" in page.read_text()


def test_steering_edits_the_spec(person: Person) -> None:
    assert person.ok("apply", "-f", str(person.home / "m.yaml")) == (
        "mdl/m unchanged\nmv/v1 unchanged\n"
    )
    person.ok("pause", "v1")
    assert person.spec("modelversions", "v1")["desiredState"] == "Paused"
    assert person.ok("pause", "v1") == "mv/v1: nothing to pause\n"
    person.ok("resume", "v1")
    person.ok("approve", "v1")
    assert person.spec("modelversions", "v1")["approval"] == {"granted": True}
    assert person.spec("modelversions", "v1")["rollout"] == {
        "steps": [{"weight": 10}, {"weight": 50}]
    }
    artifact = {"uri": "file:///a", "digest": "sha256:" + "a" * 64}
    person.status("modelversions", "v1", {"artifact": artifact})
    person.ok("promote", "v1")
    assert person.spec("models", "m")["pinnedVersion"] == "v1"
    person.ok("unpin", "m")
    assert "pinnedVersion" not in person.spec("models", "m")
    person.ok("abort", "v1")
    assert person.spec("modelversions", "v1")["desiredState"] == "Aborted"


def test_waiting_follows_the_watch(person: Person) -> None:
    def soon(change: Callable[[], None]) -> threading.Timer:
        timer = threading.Timer(0.5, change)
        timer.start()
        return timer

    timer = soon(lambda: person.status("modelversions", "v1", {"phase": "Serving"}))
    assert person.ok("wait", "v1", "--timeout", "60s") == "v1 phase=Serving\n"
    timer.join()
    late = person.slipway("wait", "v1", "--for", "phase=Canary", "--timeout", "1s")
    assert late.code == ExitCode.TIMED_OUT
    assert person.ok("delete", "mv/v1", "--timeout", "60s") == "mv/v1 deleted\n"
    gone = person.slipway("get", "mv", "v1")
    assert gone.code == ExitCode.NOT_FOUND
    assert f"namespace {person.namespace}" in gone.err


def test_what_the_server_refuses_is_told(person: Person, tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(MANIFEST.replace("random: {}", "random: {seed: 3}").split("---")[0])
    ran = person.slipway("apply", "-f", str(file))
    assert ran.code == ExitCode.INVALID
    assert "spec.source: is immutable" in ran.err
    nobody = person.plane.kubeconfig_for("nobody", groups=())
    ran = person.run("--kubeconfig", str(nobody), "--namespace", person.namespace, "get", "mv")
    assert ran.code == ExitCode.FAILED
    assert "ask for that right" in ran.err


def test_what_only_postgresql_has(person: Person) -> None:
    for verb in (("keys", "list"), ("usage",), ("jobs", "list"), ("tenants", "list")):
        ran = person.slipway(*verb)
        assert ran.code == ExitCode.NOT_RUNNING, verb
        assert "the platform's PostgreSQL" in ran.err
    ran = person.slipway("chat", "m", "hello")
    assert ran.code == ExitCode.INVALID
    assert "local mode" in ran.err


def test_a_cluster_that_is_not_there(person: Person, tmp_path: Path) -> None:
    config = yaml.safe_load(person.plane.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    dead = tmp_path / "dead.conf"
    dead.write_text(yaml.safe_dump(config))
    ran = person.run("--kubeconfig", str(dead), "get", "mv")
    assert ran.code == ExitCode.NOT_RUNNING
    assert "check --context" in ran.err
    ran = person.run("--kubeconfig", str(dead), "--context", "nowhere", "get", "mv")
    assert ran.code == ExitCode.INVALID
    ran = person.run("--namespace", "x", "get", "mv")
    assert "give --context NAME" in ran.err
