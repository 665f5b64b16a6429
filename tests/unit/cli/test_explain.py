"""`rollout explain`: every phase and every reason in sentences, frozen for a person to read."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import refreeze
from builders import a_model_version, at
from cli_fakes import Cli
from told_lives import NOW, metric, model, situations, told

from slipway_cli.explain.bounds import fails_above
from slipway_cli.explain.clocks import clocks
from slipway_cli.explain.evidence import sentence
from slipway_cli.explain.explaining import explain
from slipway_cli.explain.figures import at_time, percent
from slipway_cli.explain.reasons import MEANINGS, meaning
from slipway_cli.resources import Kind
from slipway_contracts.conditions import ConditionType, Phase, Reason
from slipway_contracts.rollout import Analysis
from slipway_store.measurements import Measurement

SITUATIONS = situations()


def test_the_sentences_are_frozen() -> None:
    """Read them when they change: they are what a person is told at night."""
    expected = (Path(__file__).parent / "frozen" / "explained.txt").read_text().splitlines()
    assert refreeze.explained() == expected, "if that is meant: tests/support/refreeze.py"


def test_every_reason_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Reason)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_explained(reason: Reason) -> None:
    """As what holds a version up, and as why it ended."""
    says = meaning(reason, version="v2", model="chat")
    assert says.says[0].islower()
    assert not says.says.endswith(".")
    assert "{" not in says.says + says.do
    held = told(
        a_model_version("v2").accepted().saying(ConditionType.STALLED, "True", reason),
        Phase.PENDING,
    )
    ended = told(a_model_version("v2").ended(Phase.FAILED, reason), Phase.FAILED)
    for situation in (held, ended):
        said = explain(situation)
        assert f"({reason}: {says.says})" in said.stands[0]
        assert not says.do or says.do in said.actions


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_says_what_is_next(phase: Phase) -> None:
    said = explain(told(a_model_version("v2"), phase))
    assert said.stands[0].startswith(f"mv/v2 of chat is {phase}")
    assert said.next.startswith("Next: ")
    assert any(situation.phase is phase for situation in SITUATIONS.values())


@pytest.mark.parametrize("name", SITUATIONS)
def test_sentences_are_sentences(name: str) -> None:
    said = explain(SITUATIONS[name])
    for line in filter(None, [*said.stands, said.waits, said.next, *said.clocks]):
        assert line[0].isupper() or line.startswith(("mv/", "rollout.", "serving."))
        assert line.endswith(".")
        assert "  " not in line
        assert "None" not in line


@pytest.mark.parametrize(
    ("figures", "mode", "words"),
    [
        (metric("error", "Pass"), "Sequential", "fails above 1 %: passes"),
        (metric("error", "Fail"), "Sequential", "fails above 1 %: fails"),
        (metric(stable_bad=146), "Sequential", "stable 2 % of 7,300; fails above 2.5 %"),
        (metric(stable_n=0), "Sequential", "stable none; fails above 1 %"),
        (metric(candidate_n=0, verdict="NoData"), "Sequential", "no request of the candidate's"),
        (metric(candidate_bad=80), "Sequential", "above its bound, not proven yet"),
        (metric(verdict="Error"), "Sequential", "cannot be judged"),
        (metric("thumbs_down", pass_threshold=None, candidate_bad=0), "Sequential", "watched"),
        (metric("gauge", "Pass"), "Sequential", "7,300: passes"),
        (metric("error"), "Threshold", "fails above 1 %"),
        (metric("empty"), "Threshold", "stable 0.3 % of 7,300: not enough"),
    ],
)
def test_a_metric_in_a_sentence(figures: dict, mode: str, words: str) -> None:
    assert words in sentence(figures, Analysis(mode=mode))


def test_the_bound_follows_the_settings() -> None:
    analysis = Analysis.model_validate(
        {"ratio": 2, "metrics": [{"metric": "error", "floor": 0.05}]}
    )
    assert fails_above(metric(stable_bad=0), analysis) == 0.05
    assert fails_above(metric(stable_bad=7300), analysis) == 1.0
    assert fails_above(metric("empty", stable_bad=365), analysis) == pytest.approx(0.1)


def test_evidence_of_an_earlier_attempt_is_not_told() -> None:
    old = Measurement(
        model="chat", version="v2", attempt="before", step=0, at=at(1), verdict="Fail", body={}
    )
    said = explain(told(a_model_version("v2").canary(0), Phase.CANARY, found=old))
    assert "Fail" not in " ".join(said.evidence)


def test_an_edit_that_nobody_has_seen_is_told() -> None:
    situation = told(a_model_version("v2").canary(0), Phase.CANARY)
    metadata = situation.version.metadata.model_copy(update={"generation": 2})
    version = situation.version.model_copy(update={"metadata": metadata})
    newer = told(a_model_version("v2"), Phase.CANARY)
    lines = explain(type(newer)(version=version, now=NOW, model=model())).stands
    assert any("was edited since" in line for line in lines)


def test_pauses_are_left_out_of_the_clocks() -> None:
    paused = a_model_version("v2").canary(0).with_rollout(step_paused_seconds=10)
    (step, *_rest) = clocks(told(paused, Phase.CANARY))
    assert "28s left (until 12:01:10 UTC)" in step


@pytest.mark.parametrize(
    ("rate", "text"),
    [(0, "0 %"), (0.0004, "0.04 %"), (0.012, "1.2 %"), (0.5, "50 %"), (1, "100 %")],
)
def test_rates(rate: float, text: str) -> None:
    assert percent(rate) == text


def test_times_name_the_day_where_it_is_another() -> None:
    assert at_time(at(100), NOW) == "at 12:01:40 UTC (in 58s)"
    assert at_time(NOW - timedelta(days=1), NOW) == "at 2025-12-31 12:00:42 UTC (24h ago)"


def test_the_verb(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    version = SITUATIONS["canary, not decided"]
    cli.objects.put(Kind.MODEL, "chat", {}, {"candidate": "v2"})
    cli.objects.put(
        Kind.VERSION,
        "v2",
        version.version.spec.sparse(),
        json.loads(version.version.status.model_dump_json(by_alias=True, exclude_none=True)),
    )
    cli.evidence.measurement = version.measured
    ran = cli.run("rollout", "explain", "chat")
    assert ran.code == 0, ran.err
    assert (
        "error: candidate 0.37 % of 812, stable 0.3 % of 7,300; fails above 1 %: passes" in ran.out
    )
    cli.in_cluster = True
    assert "cannot be read from here" in cli.run("rollout", "explain", "v2").out
