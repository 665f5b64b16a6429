"""A canary in whose middle the platform fails again and again, promoted on evidence all the same.

Clients ask all the time, and no request of theirs may fail. (``make demo-cluster`` plays the whole
story of four versions.)
"""

from __future__ import annotations

import json
import time
from datetime import datetime

import pytest
from cluster_release import MODEL, UNGATED, Release, Traffic, a_version
from sightings import Seen, seeing

pytestmark = pytest.mark.timeout(1800)
CANDIDATE = "promoted"


def leader_of(release: Release) -> str:
    return release.get("lease", f"{release.name}-operator")["spec"]["holderIdentity"]


def gateways_of(release: Release) -> list:
    return release.get("pods", "", "-l", "app.kubernetes.io/component=gateway")


def of_version(version: str):
    return lambda body: body["metadata"]["labels"].get("slipway.dev/version") == version


def says(body: dict, kind: str) -> bool:
    conditions = body.get("status", {}).get("conditions", ())
    return any(c["type"] == kind and c["status"] == "True" for c in conditions)


def print_control_plane(release: Release, seen: Seen, traffic: Traffic) -> None:
    """Our own share of a new version's way; its warm-up is the engine's time."""
    first_request = min(e.sent for e in traffic.entries() if e.version == CANDIDATE)
    mine = of_version(CANDIDATE)
    succeeded = seen.first("jobs", lambda b: mine(b) and says(b, "Complete"))
    applied = seen.first("rayservices", mine)
    ready = seen.first("rayservices", lambda b: mine(b) and says(b, "Ready"))
    assert succeeded and applied and ready
    answered = release.condition(CANDIDATE, "CandidateReady")["lastTransitionTime"]
    warm = datetime.fromisoformat(answered).timestamp()
    print(f"Job succeeded → RayService applied {applied - succeeded:.2f} s")
    print(f"RayService ready → warmed up {warm - ready:.2f} s (its first completions)")
    print(f"warmed up → first routed request {first_request - warm:.2f} s")


def test_faults_in_a_canary_that_is_promoted_all_the_same(release, stable):
    with release.traffic() as traffic, seeing(release.namespace, "jobs", "rayservices") as seen:
        traffic.grows(20)
        release.apply(
            a_version(
                CANDIDATE,
                release.source_of(stable),
                evaluation=UNGATED,
                rollout={"steps": [{"weight": 50, "minDuration": "60s"}]},
            )
        )
        release.phase(CANDIDATE, "Canary")
        traffic.grows(1, version=CANDIDATE)
        print_control_plane(release, seen, traffic)
        # As their TTL would: what has ended does not run again.
        release.kubectl("delete", "jobs", "-l", "slipway.dev/version=" + CANDIDATE)
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
        release.phase(CANDIDATE, "Serving", seconds=900)
        traffic.grows(20, version=CANDIDATE)
    traffic.check(MODEL)
    assert release.get("model", MODEL)["status"]["stable"] == CANDIDATE
    assert not release.jobs_of(CANDIDATE)


def test_a_lost_status_is_rebuilt_from_what_runs(release, stable):
    with release.traffic() as traffic:
        traffic.grows(5)
        before = release.get("rayservices")
        gone = json.dumps([{"op": "remove", "path": "/status"}])
        release.kubectl("patch", "mv", stable, "--subresource=status", "--type=json", "-p", gone)
        release.phase(stable, "Serving")
        traffic.grows(20, version=stable)
        after = release.get("rayservices")
        assert [r["metadata"]["uid"] for r in before] == [r["metadata"]["uid"] for r in after]
    traffic.check(MODEL)
