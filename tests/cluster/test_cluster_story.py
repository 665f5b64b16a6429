"""The demo's story on a real cluster, then what may go wrong while versions serve.

In order: each part goes on from what the one before left. Faults come while clients ask, and
nothing may fail but what a bad candidate answers itself.
"""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from cluster_release import Release
from sightings import Seen, seeing

from slipway_cli.demo.on_cluster import Release as Stage
from slipway_cli.demo.on_cluster import play

pytestmark = pytest.mark.timeout(1800)


def source_of(release: Release, version: str) -> dict:
    """A version that serves the same bytes as another one, with nothing to train."""
    artifact = release.version(version)["artifact"]
    return {"artifact": {"uri": artifact["uri"], "digest": artifact["digest"]}}


def a_version(name: str, source: dict, **spec) -> dict:
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": {"name": name},
        "spec": {"model": "jargon", "source": source, **spec},
    }


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


def print_control_plane(seen: Seen, version: str, first_request: float) -> None:
    """Our own share of a new version's way; the warm-up is the engine's."""
    mine = of_version(version)
    succeeded = seen.first("jobs", lambda b: mine(b) and says(b, "Complete"))
    applied = seen.first("rayservices", mine)
    ready = seen.first("rayservices", lambda b: mine(b) and says(b, "Ready"))
    assert succeeded and applied and ready
    print(f"Job succeeded → RayService applied {applied - succeeded:.2f} s")
    print(f"RayService ready → first routed request {first_request - ready:.2f} s, with warm-up")


def test_faults_in_a_canary_that_is_promoted_all_the_same(release):
    with release.traffic() as traffic, seeing(release.namespace, "jobs", "rayservices") as seen:
        traffic.grows(20)
        release.apply(
            a_version(
                "v5",
                source_of(release, "v2"),
                evaluation={"suites": [], "gates": []},
                rollout={"steps": [{"weight": 20, "minDuration": "60s"}]},
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
    assert not jobs_of(release, "v5")


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


def test_a_candidate_that_gets_no_node_says_so_and_leaves(release):
    node = release.get("nodes")[0]["metadata"]["name"]
    release.kubectl("cordon", node)
    try:
        spec = {"capacityTimeout": "20s"}
        release.apply(
            a_version(
                "v6", source_of(release, "v5"), evaluation={"suites": [], "gates": []}, serving=spec
            )
        )
        stalled = release.until(
            "v6 to be stalled",
            lambda: (found := release.condition("v6", "Stalled")).get("status") == "True" and found,
        )
        assert stalled["reason"] == "InsufficientCapacity", stalled
    finally:
        release.kubectl("uncordon", node)
    release.phase("v6", "Failed", "RolledBack", "Rejected")
    assert release.version("v5")["phase"] == "Serving"


def test_a_candidate_that_is_killed_for_its_memory(release):
    release.apply(
        a_version(
            "v7",
            source_of(release, "v5"),
            evaluation={"suites": [], "gates": []},
            serving={"resources": {"memory": "300Mi"}},
        )
    )
    release.phase("v7", "Failed", "RolledBack")
    said = json.dumps(release.version("v7"))
    assert "OOMKilled" in said, said
    assert release.version("v5")["phase"] == "Serving"


def test_an_image_that_does_not_exist(release):
    release.values = {"images": {"training": {"tag": "no-such-tag"}}}
    release.install()
    try:
        release.apply(a_version("v8", {"random": {"architecture": "tiny-llama"}}))
        condition = release.until(
            "v8 to name the image",
            lambda: (
                "ImagePull" in json.dumps(found := release.version("v8")) and found["conditions"]
            ),
        )
        assert any("no-such-tag" in c["message"] for c in condition), condition
    finally:
        release.kubectl("delete", "modelversion", "v8", "--timeout", "60s")
        release.values = {}
        release.install()
    release.until("the run of v8 to be gone", lambda: not jobs_of(release, "v8"))


def jobs_of(release: Release, version: str) -> list:
    return release.get("jobs", "", "-l", f"slipway.dev/version={version}")


def test_a_version_deleted_while_it_trains(release):
    release.apply(
        a_version(
            "v9",
            {
                "training": {
                    "method": "scratch",
                    "data": {"sources": ["bundled:jargon"], "blockSize": 128},
                    "maxSteps": 5000,
                    "batchSize": 4,
                }
            },
        )
    )
    release.until(
        "v9 to train", lambda: (release.version("v9").get("training") or {}).get("step", 0) > 0
    )
    release.kubectl("delete", "modelversion", "v9", "--timeout", "60s")
    release.until("its run to be gone", lambda: not jobs_of(release, "v9"))
    release.until(
        "its pods to be gone",
        lambda: not release.get("pods", "", "-l", "slipway.dev/version=v9"),
    )


def test_deleting_model_and_namespace_never_sticks(release):
    release.kubectl("delete", "model", "jargon", "--timeout", "60s")
    release.until("the engines to be gone", lambda: not release.get("rayservices"))
    release.remove()
