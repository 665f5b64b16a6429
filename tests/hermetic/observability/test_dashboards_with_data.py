"""Every query of every dashboard against a real Prometheus that scraped real processes.

A rollout, a training, questions and traffic are played first; nothing may be refused, and what
such a run makes must be there.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest
from observed_site import ObservedSite

from slipway_cluster.cache import folders
from slipway_cluster.tools import path_of
from slipway_dashboards import check
from slipway_dashboards.feeds import feeds_of

PROMETHEUS = path_of(folders(), "prometheus")
pytestmark = pytest.mark.skipif(
    not PROMETHEUS.exists(), reason="prometheus is not here; run: make tools TOOLS=observability"
)
WINDOW = "10s"
DEADLINE_SECONDS = 120


async def asked(site: ObservedSite, began: float) -> check.Report:
    since = time.time() - began
    feeds = feeds_of("hermetic")
    return await asyncio.to_thread(check.checked, site.url, feeds, since=since, window=WINDOW)


async def test_every_query_runs_and_shows_what_the_run_made(dsn, tmp_path, capsys):
    began = time.time()
    async with ObservedSite(dsn, tmp_path, prometheus=PROMETHEUS) as site:
        await site.create_model()
        await site.create("v1")
        await site.until("v1", "Serving")
        talking = asyncio.create_task(site.chatter())
        question, _ = await site.site.ask("what is a slipway?")
        await site.site.answered(question)
        await site.create("v2")
        await site.until("v2", "Canary")
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (report := await asked(site, began)).empty and time.monotonic() < deadline:
            # The first look takes some traffic; what it finds is scraped, then summed by rules.
            await asyncio.sleep(1)
        talking.cancel()
        with suppress(asyncio.CancelledError):
            await talking
        assert [*report.lines()][:-1] == []
        command = [
            "--prometheus",
            site.url,
            "--window",
            WINDOW,
            "--since",
            f"{time.time() - began}",
        ]
        codes = {
            feeds: await asyncio.to_thread(check.main, [*command, "--fed-by", feeds])
            for feeds in ("hermetic", "gpu")
        }
    assert codes == {"hermetic": 0, "gpu": 1}
    said = capsys.readouterr().out
    assert f"{len(report.asked)} queries: 0 refused" in said
    assert "empty    serving/GPU use (fed by gpu)" in said


def test_a_prometheus_that_is_away_is_said(capsys):
    assert check.main(["--prometheus", "http://127.0.0.1:9"]) == 2
    assert "http://127.0.0.1:9 does not answer" in capsys.readouterr().err
