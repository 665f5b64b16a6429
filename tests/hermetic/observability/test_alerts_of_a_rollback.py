"""A healthy life fires nothing in a real Prometheus; a version that is worse live fires in time.

Real gateway, operator, worker and rules; the first version trains and serves, the second trains,
becomes the candidate, answers 500 and is rolled back.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.parse
import urllib.request
from contextlib import suppress
from typing import Any

import pytest
from observed_site import ObservedSite

from slipway_cluster.cache import folders
from slipway_cluster.tools import path_of

PROMETHEUS = path_of(folders(), "prometheus")
pytestmark = pytest.mark.skipif(
    not PROMETHEUS.exists(), reason="prometheus is not here; run: make tools TOOLS=observability"
)
BAR_SECONDS = 120


async def asked(site: ObservedSite, path: str, **given: str) -> Any:
    def ask() -> Any:
        url = f"{site.url}/api/v1/{path}?{urllib.parse.urlencode(given)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)["data"]

    return await asyncio.to_thread(ask)


async def fired(site: ObservedSite) -> set[str]:
    """Names of all alerts that fired since the beginning."""
    query = 'count by (alertname) (max_over_time(ALERTS{alertstate="firing"}[1h]))'
    found = await asked(site, "query", query=query)
    return {one["metric"]["alertname"] for one in found["result"]}


async def test_nothing_fires_until_a_version_is_worse(dsn, tmp_path):
    async with ObservedSite(dsn, tmp_path, prometheus=PROMETHEUS) as site:
        await site.create_model()
        await site.create("v1")
        await site.until("v1", "Serving")
        talking = asyncio.create_task(site.chatter())
        site.serve.failing.add("v2")
        await site.create("v2")
        await site.until("v2", "Canary")
        healthy = await fired(site)
        began = time.monotonic()
        await site.until("v2", "RolledBack")
        while not await fired(site) and time.monotonic() < began + BAR_SECONDS:
            await asyncio.sleep(0.5)
        [alert] = [
            one
            for one in (await asked(site, "alerts"))["alerts"]
            if one["labels"]["alertname"] == "VersionRolledBack"
        ]
        talking.cancel()
        with suppress(asyncio.CancelledError):
            await talking
        groups = (await asked(site, "rules"))["groups"]
    assert healthy == set()
    assert (alert["state"], alert["labels"]["version"]) == ("firing", "v2")
    assert alert["labels"]["severity"] == "ticket"
    assert "v2 of demo was rolled back" in alert["annotations"]["summary"]
    assert alert["annotations"]["runbook_url"] == "docs/runbooks/version-rolled-back.md"
    ill = [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"]
    assert ill == []
