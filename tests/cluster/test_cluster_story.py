"""The demo's story on a real cluster, then faults of the platform in the middle of a canary.

In order: each part goes on from what the one before left. Clients ask all the time, and nothing
may fail but what a bad candidate answers itself.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime

import pytest
from cluster_release import Release, a_version
from sightings import Seen, seeing

from slipway_cli.demo.on_cluster import Release as Stage
from slipway_cli.demo.on_cluster import play

pytestmark = pytest.mark.timeout(1800)


def test_the_story(release, tmp_path):
    stage = Stage(
        namespace=release.namespace, name=release.name, gateway="", home=tmp_path, rate=5.0
    )
    outcome = asyncio.run(play(stage))
    report = json.loads(outcome.line)
    print(outcome.line)
    assert outcome.ok, (report.get("problem"), report["expectations"], release.state())


def leader_of(release: Release) -> str:
    return release.get("lease", f"{release.name}-operator")["spec"]["holderIdentity"]


def gateways_of(release: Release) -> list:
    return release.get("pods", "", "-l", "app.kubernetes.io/component=gateway")


def of_version(version: str):
    return lambda body: body["metadata"]["labels"].get("slipway.dev/version") == version


def says(body: dict, kind: str) -> bool:
    conditions = body.get("status", {}).get("conditions", ())
    return any(c["type"] == kind and c["status"] == "True" for c in conditions)


def print_control_plane(release: Release, seen: Seen, version: str, first_request: float) -> None:
    """Our own share of a new version's way; its warm-up is the engine's time."""
    mine = of_version(version)
    succeeded = seen.first("jobs", lambda b: mine(b) and says(b, "Complete"))
    applied = seen.first("rayservices", mine)
    ready = seen.first("rayservices", lambda b: mine(b) and says(b, "Ready"))
    assert succeeded and applied and ready
    answered = release.condition(version, "CandidateReady")["lastTransitionTime"]
    warm = datetime.fromisoformat(answered).timestamp()
    print(f"Job succeeded → RayService applied {applied - succeeded:.2f} s")
    print(f"RayService ready → warmed up {warm - ready:.2f} s (its first completions)")
    print(f"warmed up → first routed request {first_request - warm:.2f} s")


def test_faults_in_a_canary_that_is_promoted_all_the_same(release):
    with release.traffic() as traffic, seeing(release.namespace, "jobs", "rayservices") as seen:
        traffic.grows(20)
        release.apply(
            a_version(
                "v5",
                release.source_of("v2"),
                evaluation={"suites": [], "gates": []},
                rollout={"steps": [{"weight": 50, "minDuration": "60s"}]},
            )
        )
        release.phase("v5", "Canary")
        traffic.grows(1, version="v5")
        print_control_plane(seen, "v5", min(e.sent for e in traffic.entries() if e.version == "v5"))
        # As their TTL would: what has ended does not run again.
        release.kubectl("delete", "jobs", "-l", "slipway.dev/version=v5")
        leader = leader_of(release)
        release.kubectl("delete", "pod", leader)
        began = time.monotonic()
        release.until("another leader", lambda: leader_of(release) not in ("", leader))
        print(f"takeover {time.monotonic() - began:.1f} s")
        traffic.grows(20)
        gateway = gateways_of(release)[0]["metadata"]["name"]
        release.kubectl("delete", "pod", gateway, "--wait=false")
        traffic.grows(20)
        before = release.get("rayservices")
        release.values = {"gateway": {"podAnnotations": {"test": "upgraded"}}}
        release.install()
        release.helm("rollback", release.name, "--wait", "--timeout", "5m")
        release.values = {}
        after = release.get("rayservices")
        assert [r["metadata"]["uid"] for r in before] == [r["metadata"]["uid"] for r in after]
        release.until("the replaced gateways to be gone", lambda: len(gateways_of(release)) == 2)
        release.kubectl("delete", "pod", f"{release.name}-postgres-0")
        release.until(
            "PostgreSQL to be back",
            lambda: all(
                c["ready"]
                for p in [release.get("pod", f"{release.name}-postgres-0")]
                if p
                for c in p["status"].get("containerStatuses", [{"ready": False}])
            ),
        )
        release.phase("v5", "Serving", seconds=900)
        traffic.grows(20, version="v5")
    traffic.check("jargon")
    assert release.get("model", "jargon")["status"]["stable"] == "v5"
    assert not release.jobs_of("v5")


def test_a_lost_status_is_rebuilt_from_what_runs(release):
    with release.traffic() as traffic:
        traffic.grows(5)
        before = release.get("rayservices")
        gone = json.dumps([{"op": "remove", "path": "/status"}])
        release.kubectl("patch", "mv", "v5", "--subresource=status", "--type=json", "-p", gone)
        release.phase("v5", "Serving")
        traffic.grows(20, version="v5")
        after = release.get("rayservices")
        assert [r["metadata"]["uid"] for r in before] == [r["metadata"]["uid"] for r in after]
    traffic.check("jargon")
