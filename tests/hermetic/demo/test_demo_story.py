"""The whole story against a scripted platform: real PostgreSQL, real clients, no engine.

What is tested is the demo itself: that it plays to its end, that its report holds on a platform
that behaves, and that it says so when the platform does not.
"""

from __future__ import annotations

import io
import json
import time
from functools import partial

import pytest
from rich.console import Console
from scripted_platform import Bent, ScriptedPlatform

from slipway_cli.demo import story
from slipway_cli.demo.context import DemoContext
from slipway_cli.demo.findings import Bars
from slipway_cli.demo.laptop import Laptop


def laptop(pool, *, dashboard_url):
    return Laptop(pool=pool, dashboard_url=dashboard_url)


async def played(dsn, home, monkeypatch, **bent):
    """The report of one run and what was printed."""
    monkeypatch.setattr(story, "SERVES_ON_SECONDS", 3.0)
    out = io.StringIO()
    async with ScriptedPlatform(dsn, Bent(**bent)) as platform:
        began = time.time()
        outcome = await story.run_story(
            DemoContext(
                dsn=dsn,
                gateway_url=platform.url,
                platform=partial(laptop, dashboard_url=platform.url),
                marks=(str(home),),
                home=home,
                made_at=began - 1.0,
                started_at=began,
                console=Console(file=out, width=160),
                rate=25.0,
                # Whatever else this machine does: speed is not what is tested here.
                bars=Bars(rollback_seconds=60.0),
            )
        )
    report = json.loads(outcome.line)
    assert outcome.ok == report["ok"]
    return report, out.getvalue()


def broken(report):
    return {name for name, met in report["expectations"].items() if not met}


async def test_a_platform_that_behaves(dsn, tmp_path, monkeypatch):
    report, text = await played(dsn, tmp_path, monkeypatch)
    assert broken(report) == set()
    assert report["ok"] is True
    assert [weight for _, weight in report["versions"]["v2"]["weights"]] == [
        *(10, 50, 95, 100, 90, 100)
    ]
    assert [weight for _, weight in report["versions"]["v3"]["weights"]] == [10, 0]
    requests = report["requests"]
    assert sum(requests["by_version"].values()) == requests["sent"] > 100
    assert report["bad_answers_served"] == requests["failed"] > 0
    assert requests["failed_on_stable"] == 0
    assert report["rollback_seconds"] >= 0
    assert report["seconds"]["environment"] == 1.0
    assert "v3 10 %, v2 90 %" in text
    assert "step 200 of 200, loss 5.10" in text


@pytest.mark.parametrize(
    ("bent", "names"),
    [
        pytest.param({"lose_rows_of": "v3"}, {"ledger_complete"}, id="log rows lost"),
        pytest.param({"forget_sticky": True}, {"conversations_stayed"}, id="split not sticky"),
        pytest.param(
            {"restart_on_promotion": True}, {"v2_promoted_without_restart"}, id="pods rebuilt"
        ),
    ],
)
async def test_a_platform_that_does_not(dsn, tmp_path, monkeypatch, bent, names):
    report, text = await played(dsn, tmp_path, monkeypatch, **bent)
    assert broken(report) == names
    assert report["ok"] is False
    assert all(name in text for name in names)


async def test_a_version_that_fails_ends_the_story_but_not_the_report(dsn, tmp_path, monkeypatch):
    report, text = await played(dsn, tmp_path, monkeypatch, v2_fails=True)
    assert report["problem"] == "waited for v2 to take traffic, but v2 is Failed"
    assert report["versions"]["v2"]["reason"] == "TrainingFailed"
    assert "v1_trained_and_promoted_as_first_version" not in broken(report)
    assert "v2_went_10_50_100" in broken(report)
    assert str(tmp_path / "logs") in text.replace("\n", "")


async def test_nothing_is_played_on_top_of_an_earlier_demo(dsn, tmp_path, monkeypatch):
    await played(dsn, tmp_path, monkeypatch, v2_fails=True)
    report, text = await played(dsn, tmp_path, monkeypatch)
    assert report["ok"] is False
    assert "slipway down --purge" in report["problem"]
    assert "broken" not in text
