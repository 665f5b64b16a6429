"""Versions that cannot come up, and objects that are deleted, beside one that serves.

Each says why within seconds, and leaves; the version that serves is never touched.
"""

from __future__ import annotations

import asyncio
import json
import os

import pytest
from cluster_release import A_MODEL, MODEL, UNGATED, Release, a_version

from slipway_cli.demo.clients import first_answer

pytestmark = pytest.mark.timeout(1200)
RANDOM = {"random": {"architecture": "tiny-llama"}}
soak = pytest.mark.skipif("SLIPWAY_SOAK" not in os.environ, reason="minutes; SLIPWAY_SOAK=1")


def test_a_candidate_that_gets_no_node_says_so_and_leaves(release, stable):
    node = release.get("nodes")[0]["metadata"]["name"]
    spec = {"evaluation": UNGATED | {"approval": True}, "serving": {"capacityTimeout": "20s"}}
    release.apply(a_version("crowded", release.source_of(stable), **spec))
    release.until(
        "crowded to await its approval",
        lambda: release.condition("crowded", "CandidateReady").get("reason") == "AwaitingApproval",
    )
    release.kubectl("cordon", node)
    try:
        release.apply(
            a_version("crowded", release.source_of(stable), approval={"granted": True}, **spec)
        )
        release.until(
            "crowded to be stalled",
            lambda: release.condition("crowded", "Stalled").get("status") == "True",
        )
        said = release.condition("crowded", "Stalled")
        assert said["reason"] == "InsufficientCapacity", said
        assert release.phase("crowded", "Failed") == "Failed"
    finally:
        release.kubectl("uncordon", node)
    assert release.version("crowded")["reason"] == "InsufficientCapacity"
    assert release.version(stable)["phase"] == "Serving"


# The kernel takes the container's first process, as it would take the whole container where the
# kubelet asks it to (cgroup v2). Many small eaters: one large one would be taken itself.
EAT = """
echo 1000 > /proc/1/oom_score_adj
for each in 1 2 3 4 5 6 7 8; do
  /opt/slipway/venv/bin/python -c 'import time; held = b"x" * (1100 << 20); time.sleep(60)' &
done
wait
"""


def starve(release: Release, version: str) -> None:
    """Until the kernel has taken its engine's first process."""
    label = f"slipway.dev/version={version},ray.io/node-type=head"

    def containers() -> list:
        pods = release.get("pods", "", "-l", label)
        return [(p, c) for p in pods for c in p["status"].get("containerStatuses", ())]

    release.until(
        f"a pod of {version}", lambda: any("running" in c["state"] for _, c in containers())
    )
    pod = containers()[0][0]["metadata"]["name"]

    def taken() -> bool:
        release.kubectl("exec", pod, "--", "sh", "-c", EAT, check=False)
        found = containers()
        return not found or any(c["restartCount"] or "terminated" in c["state"] for _, c in found)

    release.until(f"the kernel to take {pod}", taken)


def test_a_candidate_that_is_killed_for_its_memory_while_it_loads(release, stable):
    release.apply(a_version("bloated", release.source_of(stable), evaluation=UNGATED))
    starve(release, "bloated")
    release.phase("bloated", "Failed")
    assert release.version("bloated")["reason"] == "OOMKilled", release.version("bloated")
    assert release.version(stable)["phase"] == "Serving"


@soak
def test_a_canary_that_is_killed_for_its_memory_harms_nobody(release, stable):
    with release.traffic() as traffic:
        release.apply(
            a_version(
                "cramped",
                release.source_of(stable),
                evaluation=UNGATED,
                serving={"capacityTimeout": "10s"},
                rollout={"steps": [{"weight": 50, "minDuration": "10m"}]},
            )
        )
        release.phase("cramped", "Canary")
        traffic.grows(5, version="cramped")
        starve(release, "cramped")
        release.phase("cramped", "RolledBack")
        traffic.grows(20, version=stable)
    # Whichever is seen first: its answers (by the gateway or by the operator), or its pod.
    reasons = ("GuardTripped", "AnalysisFailed", "OOMKilled")
    assert release.version("cramped")["reason"] in reasons
    assert release.version(stable)["phase"] == "Serving"
    traffic.check(MODEL, bad_of=frozenset({"cramped"}))


@soak
def test_an_image_that_does_not_exist(release, stable):
    with release.upgraded({"images": {"training": {"tag": "no-such-tag"}}}):
        release.apply(a_version("imageless", RANDOM))
        release.until(
            "imageless to name the image",
            lambda: all(
                word in json.dumps(release.version("imageless"))
                for word in ("ImagePull", "no-such-tag")
            ),
        )
        release.kubectl("delete", "modelversion", "imageless", "--timeout", "60s")
    release.until("the run of imageless to be gone", lambda: not release.jobs_of("imageless"))


def test_a_run_that_is_killed_for_its_memory(release, stable):
    with release.upgraded({"runs": {"memory": "96Mi"}}):
        release.apply(a_version("starved", RANDOM))
        release.phase("starved", "Failed")
    said = release.version("starved")
    assert said["reason"] == "OOMKilled", said
    assert release.version(stable)["phase"] == "Serving"


def test_a_version_deleted_while_it_trains(release, stable):
    release.apply(
        a_version(
            "deleted",
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
        "deleted to train",
        lambda: (release.version("deleted").get("training") or {}).get("step", 0) > 0,
    )
    release.kubectl("delete", "modelversion", "deleted", "--timeout", "60s")
    release.until("its run to be gone", lambda: not release.jobs_of("deleted"))
    release.until(
        "its pods to be gone",
        lambda: not release.get("pods", "", "-l", "slipway.dev/version=deleted"),
    )


def test_a_deleted_model_takes_everything_along(release, stable):
    release.kubectl("delete", "model", MODEL, "--timeout", "60s")
    release.kubectl("delete", "modelversions", "--all", "--timeout", "60s")
    release.until("the engines to be gone", lambda: not release.get("rayservices"))
    release.until("the runs to be gone", lambda: not release.get("jobs"))


@soak
def test_a_version_is_served_from_an_object_store(release):
    release.object_store()
    release.apply(A_MODEL, a_version("stored", RANDOM, evaluation=UNGATED))
    release.phase("stored", "Serving")
    assert release.version("stored")["artifact"]["uri"].startswith("s3://models/")
    assert asyncio.run(first_answer(release.gateway_url, release.key))


def test_deleting_the_namespace_never_sticks(release):
    """While a version serves."""
    release.remove()
