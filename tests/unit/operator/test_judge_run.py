"""Jobs and pods → how far a run is and why: one row a situation."""

from __future__ import annotations

import json

import pytest
from child_bodies import NOW, a_job, a_pod, a_status, condition, ended, waits

from slipway_contracts.conditions import Reason
from slipway_operator.core.snapshot import RunState
from slipway_operator.platforms.kubernetes.judge_run import judge

COMPLETE, FAILED = condition("Complete"), condition("Failed", reason="BackoffLimitExceeded")
UNSCHEDULABLE = condition(
    "PodScheduled", "False", reason="Unschedulable", message="0/1 nodes are available."
)
SCHEDULED_LONG_AGO = condition("PodScheduled", ago=600)


def failed_pod(code, message="", reason="Error", **more):
    state = ended(code, message, reason)
    return a_pod("Failed", statuses=(a_status(state=state),), **more)


def waiting_pod(reason, message="", *, ago=600):
    scheduled = condition("PodScheduled", ago=ago)
    status = a_status(state=waits(reason, message))
    return a_pod("Pending", conditions=(scheduled,), statuses=(status,))


@pytest.mark.parametrize(
    ("job", "pods", "state", "reason", "said"),
    [
        pytest.param(a_job(), [], "running", None, "no pod yet", id="new"),
        pytest.param(a_job(), [a_pod()], "running", None, "", id="running"),
        pytest.param(
            a_job(suspend=True, labels={"kueue.x-k8s.io/queue-name": "q"}),
            [],
            "running",
            None,
            "queue q admits",
            id="queued",
        ),
        pytest.param(
            a_job(),
            [a_pod("Pending", conditions=(UNSCHEDULABLE,))],
            "running",
            Reason.INSUFFICIENT_CAPACITY,
            "0/1 nodes are available; add a node",
            id="no room",
        ),
        pytest.param(
            a_job(),
            [waiting_pod("ErrImagePull", "not found", ago=5)],
            "running",
            Reason.IMAGE_PULL,
            "r.io/x:1 cannot be pulled (ErrImagePull: not found); push it",
            id="image, a moment ago",
        ),
        pytest.param(
            a_job(),
            [waiting_pod("ImagePullBackOff", "not found")],
            "failed",
            Reason.IMAGE_PULL,
            "push it",
            id="image, for a while",
        ),
        pytest.param(
            a_job(),
            [waiting_pod("InvalidImageName", ago=1)],
            "failed",
            Reason.IMAGE_PULL,
            "is no valid name",
            id="image name",
        ),
        pytest.param(
            a_job(),
            [waiting_pod("CreateContainerConfigError", 'secret "x" not found')],
            "failed",
            Reason.STARTUP_FAILED,
            'secret "x" not found',
            id="secret",
        ),
        pytest.param(
            a_job(failed=1),
            [failed_pod(1, "boom")],
            "running",
            None,
            "exit code 1: boom; it is started again",
            id="between two pods",
        ),
        pytest.param(
            a_job(),
            [failed_pod(75, conditions=(condition("DisruptionTarget", message="drained"),))],
            "running",
            None,
            "taken away (drained)",
            id="evicted",
        ),
        pytest.param(
            a_job(),
            [failed_pod(75), a_pod("Succeeded", name="last")],
            "running",
            None,
            "",
            id="about to be complete",
        ),
        pytest.param(a_job(COMPLETE), [a_pod("Succeeded")], "succeeded", None, "", id="complete"),
        pytest.param(
            a_job(FAILED, failed=3),
            [failed_pod(1, "Traceback\nValueError: bad rope\n")],
            "failed",
            None,
            "exit code 1: ValueError: bad rope",
            id="failed",
        ),
        pytest.param(
            a_job(FAILED),
            [failed_pod(78, json.dumps({"error": "data.sources is empty"}))],
            "failed",
            Reason.INVALID,
            "data.sources is empty",
            id="invalid",
        ),
        pytest.param(
            a_job(FAILED),
            [failed_pod(137, "", "OOMKilled")],
            "failed",
            Reason.OOM_KILLED,
            "raise training.resources.memory",
            id="killed for memory",
        ),
        pytest.param(
            a_job(FAILED),
            [failed_pod(77, 'slipway-result {"error": "lower batchSize"}')],
            "failed",
            Reason.OOM_KILLED,
            "lower batchSize",
            id="out of memory by its own account",
        ),
        pytest.param(
            a_job(FAILED), [failed_pod(137)], "failed", None, "was killed", id="killed by somebody"
        ),
        pytest.param(
            a_job(condition("Failed", reason="DeadlineExceeded")),
            [],
            "failed",
            Reason.DEADLINE_EXCEEDED,
            "raise training.wallClockLimit",
            id="deadline",
        ),
        pytest.param(
            a_job(condition("FailureTarget")), [a_pod()], "running", None, "", id="about to fail"
        ),
    ],
)
def test_situations(job, pods, state, reason, said):
    seen = judge(job, pods, NOW)
    assert (seen.state, seen.reason) == (RunState(state), reason)
    assert said in seen.message
    assert bool(said) or seen.message == ""


def test_restarts_are_what_failed_before():
    assert judge(a_job(failed=2), [], NOW).restarts == 2
    assert judge(a_job(FAILED, failed=3), [failed_pod(1)], NOW).restarts == 2
    assert judge(a_job(COMPLETE, failed=1), [a_pod("Succeeded")], NOW).restarts == 1


def test_an_end_whose_pod_is_not_seen_says_so():
    assert judge(a_job(COMPLETE), [], NOW).unseen
    assert judge(a_job(COMPLETE), [a_pod()], NOW).unseen
    gone = judge(a_job(condition("Failed", message="limit reached")), [], NOW)
    assert gone.unseen
    assert gone.message == "the Job failed: limit reached"


def test_of_several_nodes_the_first_tells_and_the_last_failure_counts():
    second = a_pod("Succeeded", name="b", index=1, age=1)
    first = a_pod("Succeeded", name="a", index=0, age=50)
    assert judge(a_job(COMPLETE), [second, first], NOW).pod is first
    old = failed_pod(1, "old", name="x", age=90)
    new = failed_pod(1, "new", name="y", age=10)
    taken = failed_pod(75, name="z", age=1, conditions=(condition("DisruptionTarget"),))
    assert "new" in judge(a_job(FAILED), [old, new, taken], NOW).message


@pytest.mark.parametrize(
    ("job", "pods", "told"),
    [
        pytest.param(a_job(), [], True, id="no pod yet"),
        pytest.param(a_job(), [a_pod("Pending")], True, id="its pod starts"),
        pytest.param(a_job(), [a_pod()], False, id="its log tells how far it is"),
        pytest.param(
            a_job(), [waiting_pod("ErrImagePull", ago=5)], False, id="patience runs out some time"
        ),
        pytest.param(a_job(COMPLETE), [], False, id="over"),
    ],
)
def test_what_the_watch_tells_by_itself(job, pods, told):
    assert judge(job, pods, NOW).told is told
