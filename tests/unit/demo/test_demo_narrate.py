"""What is worth a line."""

from __future__ import annotations

import io

from demo_evidence import a_version, an_entry, condition
from rich.console import Console

from slipway_cli.demo.narrate import LedgerTail, Narrator, route_line, status_lines, traffic_line
from slipway_cli.demo.timeline import RoutePoint


def training(step, *, steps=200, loss=5.0):
    return {"step": step, "maxSteps": steps, "loss": loss, "tokensPerSecond": 800.0}


def test_a_changed_condition_speaks_once():
    before = a_version("v2", phase="Training")
    done = condition("TrainingComplete", "True", "TrainingSucceeded", "200 steps in 61 s")
    after = a_version("v2", phase="Evaluating", conditions=[done])
    assert status_lines(before, after) == ["Evaluating · TrainingComplete: 200 steps in 61 s"]
    assert status_lines(after, after) == []


def test_digests_are_short():
    digest = "sha256:" + "ab" * 32
    verified = condition("ArtifactVerified", "True", "Verified", digest)
    after = a_version("v2", phase="Evaluating", conditions=[verified])
    assert status_lines(None, after) == ["Evaluating · ArtifactVerified: sha256:abababababab…"]


def test_a_phase_without_a_message_is_named():
    before, after = a_version("v2", phase="Pending"), a_version("v2", phase="Training")
    assert status_lines(before, after) == ["Training"]
    assert status_lines(None, before) == ["Pending"]


def test_training_speaks_every_fifty_steps_and_at_the_end():
    lines = []
    before = None
    for step in (1, 20, 49, 50, 51, 99, 120, 199, 200, 200):
        after = a_version("v2", phase="Training", training=training(step))
        lines += [line for line in status_lines(before, after) if line.startswith("step")]
        before = after
    assert [line.split()[1] for line in lines] == ["50", "120", "199", "200"]


def test_route_and_traffic_lines():
    point = RoutePoint(at=0, revision=3, weights={"v2": 10, "v1": 90}, roles={}, shadow=None)
    assert route_line(point) == "v2 10 %, v1 90 %"
    entries = [an_entry("a", version="v1"), an_entry("b", version="v2", ok=False)]
    assert traffic_line(entries, entries) == "2 answered, 1 bad; lately v1 50 %, v2 50 %"


def test_the_narrator_stamps_names_and_escapes():
    out = io.StringIO()
    narrator = Narrator(console=Console(file=out, width=200), origin=100, clock=lambda: 219.7)
    narrator.say("v2", "Canary: [bold] is text")
    assert out.getvalue() == "  1:59       v2  Canary: [bold] is text\n"


def test_verdicts_are_told_when_they_change_and_figures_now_and_then():
    out = io.StringIO()
    now = [1000.0]
    narrator = Narrator(console=Console(file=out, width=200), origin=1000, clock=lambda: now[0])
    said = [
        (0, "NoData", "none yet"),
        (1, "Continue", "10 good"),
        (5, "Continue", "40 good"),
        (22, "Continue", "99 good"),
        (60, "Continue", "99 good"),
        (61, "Pass", "110 good"),
    ]
    for second, verdict, message in said:
        now[0] = 1000.0 + second
        version = a_version("v2", phase="Canary", rollout={"verdict": verdict, "message": message})
        narrator.version(version, version)
    lines = [line.split("v2  ")[1] for line in out.getvalue().splitlines()]
    assert lines == ["NoData: none yet", "Continue: 10 good", "Continue: 99 good", "Pass: 110 good"]


def test_routes_and_verdicts_are_not_told_twice():
    applied = condition("TrafficApplied", "True", "RoutesApplied", "every gateway applies them")
    after = a_version("v2", phase="Canary", conditions=[applied])
    assert status_lines(a_version("v2", phase="Canary"), after) == []


def test_the_tail_reads_whole_lines_only(tmp_path):
    path = tmp_path / "ledger.jsonl"
    tail = LedgerTail(path=path)
    assert tail.read() == []
    line = an_entry("b").line()
    path.write_text(an_entry("a").line() + line[:20])
    assert [entry.request_id for entry in tail.read()] == ["a"]
    path.write_text(an_entry("a").line() + line)
    assert [entry.request_id for entry in tail.read()] == ["b"]
    assert len(tail.entries) == 2
