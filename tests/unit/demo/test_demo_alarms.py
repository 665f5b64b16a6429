"""Alerts as evidence: what Prometheus says, cut into stretches, and what the demo expects of it."""

from __future__ import annotations

import io

import pytest
from demo_evidence import a_good_run
from rich.console import Console

from slipway_cli.demo.alarms import Alarm, alarms_of
from slipway_cli.demo.expectations import WATCHED
from slipway_cli.demo.report import assemble, show

# The good run's v3 answers its first request, badly, at 490.
FIRST_BAD = 490.0


def an_alarm(began, **changes):
    given = {"name": "ModelAvailabilityBurning", "severity": "critical", "version": "v3"}
    return Alarm(**(given | {"began": began, "ended": began + 60} | changes))


def watched(*alarms):
    return assemble(a_good_run(watched=True, alarms=alarms))


def test_a_series_is_cut_where_it_did_not_fire():
    series = [
        {
            "metric": {"alertname": "B", "severity": "warning"},
            "values": [[10, "1"], [11, "1"], [20, "1"]],
        },
        {
            "metric": {"alertname": "A", "severity": "critical", "version": "v3"},
            "values": [[15.5, "1"], [16.5, "1"]],
        },
    ]
    assert alarms_of(series, step=1.0) == (
        Alarm(name="B", severity="warning", version="", began=10, ended=11),
        Alarm(name="A", severity="critical", version="v3", began=15.5, ended=16.5),
        Alarm(name="B", severity="warning", version="", began=20, ended=20),
    )
    assert alarms_of([], step=1.0) == ()


def test_an_alert_within_the_bar():
    report = watched(an_alarm(FIRST_BAD + 75.04), an_alarm(FIRST_BAD + 90, name="Later"))
    assert report["ok"] is True
    assert report["expectations"].keys() >= WATCHED.keys()
    assert report["alerts"]["seconds_to_first"] == 75.0
    assert [a["after"] for a in report["alerts"]["fired"]] == [75.0, 90.0]
    out = io.StringIO()
    show(Console(file=out, width=160), report)
    assert "ModelAvailabilityBurning 75 s, Later 90 s" in out.getvalue()


QUIET, IN_TIME = WATCHED


@pytest.mark.parametrize(
    ("alarms", "broken"),
    [
        pytest.param((), {IN_TIME}, id="none"),
        pytest.param((an_alarm(FIRST_BAD + 121),), {IN_TIME}, id="too late"),
        pytest.param((an_alarm(300.0), an_alarm(FIRST_BAD + 9)), {QUIET}, id="while all was well"),
        pytest.param((an_alarm(480.0),), {QUIET, IN_TIME}, id="before the first bad answer"),
    ],
)
def test_what_breaks_an_expectation(alarms, broken):
    report = watched(*alarms)
    assert {name for name in WATCHED if not report["expectations"][name]} == broken
    assert report["ok"] is False


def test_what_could_not_be_read_did_not_happen():
    report = assemble(a_good_run(watched=True, alarms=None))
    assert not any(report["expectations"][name] for name in WATCHED)


def test_without_anybody_watching_nothing_is_said_of_alerts():
    report = assemble(a_good_run())
    assert "alerts" not in report
    assert not WATCHED.keys() & report["expectations"].keys()
