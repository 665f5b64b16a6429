"""RayServices and pods → a backend's state: one row a situation."""

from __future__ import annotations

import pytest
from child_bodies import (
    NOW,
    a_backend,
    a_ray_pod,
    a_ray_service,
    a_status,
    at,
    condition,
    ended,
    waits,
)

from slipway_contracts.conditions import Reason
from slipway_operator.core.snapshot import BackendState
from slipway_operator.platforms.kubernetes.judge_backend import judge
from slipway_operator.platforms.kubernetes.serve_config import args_of
from slipway_operator.platforms.kubernetes.warmth import RESCALED, Warmth

HEAD = a_ray_pod()
RUNNING = {"app": "RUNNING", "engine": "HEALTHY"}
WARM = Warmth(pods=frozenset({"uid-head/0"}), replicas=1)
LONG_AGO = condition("PodScheduled", ago=600)
NO_ROOM = condition(
    "PodScheduled", "False", reason="Unschedulable", message="0/3 nodes: 3 Insufficient memory."
)


def seen(body=None, pods=(), warmth=None, **said):
    body = body or a_ray_service(**said)
    return judge(body, args_of(body), its_pods=list(pods), warmth=warmth, now=NOW)


def starting_pod(*conditions, statuses=(), **more):
    return a_ray_pod(phase="Pending", conditions=conditions, statuses=statuses, **more)


@pytest.mark.parametrize(
    ("pods", "said", "state", "reason", "message"),
    [
        pytest.param([], {}, "starting", Reason.STARTING, "KubeRay to make", id="new"),
        pytest.param(
            [starting_pod()], {}, "starting", Reason.STARTING, "its image", id="container"
        ),
        pytest.param([HEAD], {}, "starting", Reason.STARTING, "Ray to start", id="Ray"),
        pytest.param(
            [HEAD],
            {"app": "DEPLOYING", "engine": "UPDATING"},
            "starting",
            Reason.STARTING,
            "engine to load",
            id="engine",
        ),
        pytest.param([HEAD], RUNNING, "starting", Reason.STARTING, "first answers", id="runs"),
        pytest.param(
            [HEAD],
            RUNNING | {"ready": False},
            "starting",
            Reason.STARTING,
            "engine to load",
            id="not reachable",
        ),
        pytest.param(
            [starting_pod(NO_ROOM)],
            {},
            "no_capacity",
            Reason.INSUFFICIENT_CAPACITY,
            "0/3 nodes: 3 Insufficient memory; add a node",
            id="no room",
        ),
        pytest.param(
            [starting_pod(LONG_AGO, statuses=(a_status(state=waits("ImagePullBackOff", "no")),))],
            {},
            "failed",
            Reason.IMAGE_PULL,
            "image r.io/x:1 cannot be pulled",
            id="image",
        ),
        pytest.param(
            [
                starting_pod(
                    condition("PodScheduled"), statuses=(a_status(state=waits("ErrImagePull")),)
                )
            ],
            {},
            "starting",
            Reason.IMAGE_PULL,
            "push it",
            id="image, a moment ago",
        ),
        pytest.param(
            [
                a_ray_pod(
                    statuses=(
                        a_status("ray-head", last=ended(137, reason="OOMKilled"), restarts=1),
                    )
                )
            ],
            {},
            "failed",
            Reason.OOM_KILLED,
            "raise serving.resources.memory",
            id="out of memory",
        ),
        pytest.param(
            [a_ray_pod(statuses=(a_status("ray-head", last=ended(1, "x"), restarts=1),))],
            {},
            "starting",
            Reason.STARTING,
            "Ray to start",
            id="crashed once",
        ),
        pytest.param(
            [
                a_ray_pod(
                    statuses=(
                        a_status(
                            "ray-head",
                            state=waits("CrashLoopBackOff"),
                            last=ended(1, "slipway/ArtifactRefused: a link"),
                        ),
                    )
                )
            ],
            {},
            "failed",
            Reason.ARTIFACT_REFUSED,
            "pod head ends with exit code 1: a link",
            id="crash loop",
        ),
        pytest.param(
            [HEAD],
            {"app": "DEPLOY_FAILED", "engine": "x", "message": "slipway/DigestMismatch: w\n"},
            "failed",
            Reason.DIGEST_MISMATCH,
            "w",
            id="refused",
        ),
    ],
)
def test_on_the_way_up(pods, said, state, reason, message):
    found = seen(pods=pods, **said)
    assert (found.state, found.reason) == (BackendState(state), reason)
    assert message in found.message


def test_it_asks_for_a_warm_up_of_exactly_what_is_there():
    found = seen(pods=[HEAD], **RUNNING)
    assert found.warm == WARM
    assert seen(pods=[HEAD], warmth=found.warm, **RUNNING).state is BackendState.READY


@pytest.mark.parametrize(
    ("pods", "said", "reason", "message"),
    [
        pytest.param(
            [HEAD],
            {"app": "UNHEALTHY", "engine": "UNHEALTHY", "message": "the actor died"},
            Reason.BACKEND_LOST,
            "the actor died",
            id="the engine died",
        ),
        pytest.param([], {}, Reason.BACKEND_LOST, "started again", id="the pod is gone"),
        pytest.param(
            [starting_pod(NO_ROOM)],
            {},
            Reason.INSUFFICIENT_CAPACITY,
            "3 Insufficient memory",
            id="no room to come back",
        ),
        pytest.param(
            [
                a_ray_pod(
                    ready=False,
                    statuses=(
                        a_status("ray-head", last=ended(137, reason="OOMKilled"), restarts=1),
                    ),
                )
            ],
            {},
            Reason.OOM_KILLED,
            "killed for its memory",
            id="out of memory",
        ),
        pytest.param(
            [HEAD], RUNNING | {"ready": False}, Reason.BACKEND_LOST, "", id="no endpoints"
        ),
    ],
)
def test_who_was_ready_is_unhealthy_and_cools_down(pods, said, reason, message):
    found = seen(pods=pods, warmth=WARM, **said)
    assert (found.state, found.reason) == (BackendState.UNHEALTHY, reason)
    assert message in found.message
    assert found.cooled
    back = seen(pods=[HEAD], warmth=Warmth(), **RUNNING)
    assert (back.state, back.warm) == (BackendState.UNHEALTHY, WARM)


def test_another_life_of_the_pod_answers_anew():
    again = a_ray_pod(restarts=1)
    found = seen(pods=[again], warmth=WARM, **RUNNING)
    assert found.state is BackendState.UNHEALTHY
    assert found.warm == Warmth(pods=frozenset({"uid-head/1"}), replicas=1)


@pytest.mark.parametrize("app", ["DEPLOYING", "RUNNING"])
def test_a_change_of_scale_is_no_outage(app):
    wide = a_backend(floor=2, replicas={"min": 1, "max": 3})
    body = a_ray_service(wide, app=app, engine="UPDATING")
    found = seen(body, pods=[HEAD], warmth=WARM)
    assert (found.state, found.ready_replicas, found.warm) == (BackendState.READY, 1, None)


def test_what_kuberay_says_just_after_a_change_of_scale_is_of_before():
    wide = a_backend(floor=2, replicas={"min": 1, "max": 3})
    for ago, ready, asks in ((2, 1, False), (20, 1, True)):
        body = a_ray_service(wide, **RUNNING, annotations={RESCALED: at(ago)})
        found = seen(body, pods=[HEAD], warmth=WARM)
        assert (found.state, found.ready_replicas) == (BackendState.READY, ready)
        assert (found.warm is not None) is asks
    body = a_ray_service(wide, **RUNNING)
    both = Warmth(pods=WARM.pods, replicas=2)
    assert seen(body, pods=[HEAD], warmth=both).ready_replicas == 2


def test_with_gpus_ready_workers_are_counted():
    backend = a_backend(
        resources={"gpu": 1},
        engine={"tensorParallelSize": 2},
        replicas={"min": 2, "max": 2},
    )
    workers = [a_ray_pod("worker", name=f"w{n}", ready=n < 3) for n in range(4)]
    body = a_ray_service(backend, **RUNNING)
    found = seen(body, pods=[HEAD, *workers])
    assert found.warm is not None
    assert (found.warm.replicas, len(found.warm.pods)) == (1, 3)
    short = seen(body, pods=[*workers[:3], starting_pod(NO_ROOM, name="w9")], warmth=found.warm)
    assert (short.state, short.ready_replicas) == (BackendState.READY, 1)


def test_a_name_that_leaves_is_stopping():
    body = a_ray_service(**RUNNING)
    body["metadata"]["deletionTimestamp"] = at()
    assert seen(body, pods=[HEAD], warmth=WARM).state is BackendState.STOPPING


def test_kuberay_refuses_it():
    body = a_ray_service()
    body["status"]["conditions"] = [
        condition("Ready", "False", reason="ValidationFailed", message="no container")
    ]
    found = seen(body)
    assert (found.state, found.reason) == (BackendState.FAILED, Reason.INVALID)
    assert "no container" in found.message


@pytest.mark.parametrize(
    ("message", "state", "reason"),
    [
        ("exceeded quota: gpus", "no_capacity", Reason.INSUFFICIENT_CAPACITY),
        ("violates PodSecurity", "starting", Reason.STARTUP_FAILED),
    ],
)
def test_pods_that_may_not_be_made(message, state, reason):
    body = a_ray_service()
    failure = condition("ReplicaFailure", message=message)
    body["status"]["pendingServiceStatus"] = {"rayClusterStatus": {"conditions": [failure]}}
    found = seen(body)
    assert (found.state, found.reason) == (BackendState(state), reason)
    assert message in found.message


def test_a_first_cluster_is_pending_until_the_service_points_at_it():
    body = a_ray_service(app="DEPLOYING", engine="UPDATING", ready=False)
    body["status"]["pendingServiceStatus"] = body["status"].pop("activeServiceStatus")
    assert "engine to load" in seen(body, pods=[HEAD]).message
