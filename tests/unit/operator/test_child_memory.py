"""What is remembered of children: outcomes, marked lines, who has answered."""

from __future__ import annotations

import json

import pytest
from child_bodies import a_pod, a_ray_pod, a_ray_service

from slipway_contracts.conditions import Reason
from slipway_contracts.run import RunResult
from slipway_operator.core.snapshot import RunObservation, RunState
from slipway_operator.errors import Transient
from slipway_operator.platforms.kubernetes.progress import RunLogs, progress_in, result_in
from slipway_operator.platforms.kubernetes.records import (
    OUTCOME_KEY,
    RESULT_LIMIT,
    outcome_patch,
    recorded,
)
from slipway_operator.platforms.kubernetes.warmth import (
    ANNOTATION,
    Warmth,
    life_of,
    lives_of,
    remembered,
)

RECORD = {"metadata": {"name": "v1-train", "uid": "u"}, "data": {"spec.json": "{}"}}


def record_of(seen):
    return RECORD | {"data": RECORD["data"] | outcome_patch(RECORD, seen)["data"]}


@pytest.mark.parametrize(
    "seen",
    [
        RunObservation(
            name="v1-train",
            state=RunState.SUCCEEDED,
            exit_code=0,
            restarts=2,
            result=RunResult(metrics={"loss": 1.0}),
        ),
        RunObservation(
            name="v1-train",
            state=RunState.FAILED,
            exit_code=137,
            reason=Reason.OOM_KILLED,
            message="killed",
        ),
    ],
    ids=["succeeded", "failed"],
)
def test_an_outcome_is_read_back(seen):
    assert recorded(RECORD) is None
    assert recorded(record_of(seen)) == seen


def test_a_report_that_no_object_holds_is_left_out():
    large = RunResult(error="x" * RESULT_LIMIT)
    seen = RunObservation(name="v1-train", state=RunState.FAILED, result=large)
    found = recorded(record_of(seen))
    assert found is not None
    assert found.result is None


def test_a_damaged_outcome_counts_as_none():
    for text in ("{", '{"state": "odd"}', "[]", "{}"):
        assert recorded(RECORD | {"data": {OUTCOME_KEY: text}}) is None


def test_lines_are_found_among_others():
    log = (
        'slipway-progress {"at": 1, "step": 1}\nnoise slipway-progress {}\n'
        'slipway-progress {"at": 2, "step": 2}\nslipway-progress {"torn\n'
        'slipway-result {"metrics": {"loss": 1.0}}\nexit\n'
    )
    progress, result = progress_in(log), result_in(log)
    assert progress is not None
    assert progress.step == 2
    assert result is not None
    assert result.metrics == {"loss": 1.0}
    assert result_in('{"error": "no"}') == RunResult(error="no")
    for nothing in ("", "done", '{"unknown": 1}'):
        assert progress_in(nothing) is None
        assert result_in(nothing) is None


class FakeLogs:
    def __init__(self) -> None:
        self.text = ""
        self.reads = 0
        self.error: Exception | None = None

    async def pod_log(self, name: str, *, container: str, tail_lines: int) -> str:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return self.text


async def test_progress_is_asked_for_every_few_seconds_and_survives_a_gap():
    api, now = FakeLogs(), [0.0]
    logs = RunLogs(api, "run", clock=lambda: now[0])
    pod = a_pod()
    assert await logs.progress(a_pod("Pending", name="q")) is None
    assert api.reads == 0
    api.text = 'slipway-progress {"at": 1, "step": 5}'
    for _ in range(3):
        seen = await logs.progress(pod)
        assert seen is not None
        assert seen.step == 5
    assert api.reads == 1
    now[0] = 4.0
    api.error = Transient("the kubelet does not answer")
    assert await logs.progress(pod) == seen
    assert logs.last(pod) == seen
    logs.keep(set())
    assert logs.last(pod) is None


async def test_a_result_that_cannot_be_read_now_is_not_missing():
    api = FakeLogs()
    logs = RunLogs(api, "run")
    assert await logs.result(a_pod()) is None
    api.error = Transient("the kubelet does not answer")
    with pytest.raises(Transient):
        await logs.result(a_pod())


def test_warmth_names_only_what_exists():
    first, second = a_ray_pod(), a_ray_pod(restarts=1, name="two")
    warm = Warmth(pods=lives_of([first, second]), replicas=2)
    assert life_of(second) == "uid-two/1"
    assert warm.within(lives_of([second])) == Warmth(pods=lives_of([second]), replicas=2)
    assert warm.within(frozenset()) == Warmth()
    assert warm.covers(lives_of([first]), 2)
    assert not warm.covers(lives_of([first]), 3)
    assert not warm.covers(frozenset(), 0)


def test_the_annotation_is_read_back():
    warm = Warmth(pods=frozenset({"a/0", "b/1"}), replicas=3)
    assert remembered(a_ray_service(annotations={ANNOTATION: warm.text()})) == warm
    assert remembered(a_ray_service()) is None
    for text in ("{", "{}", json.dumps({"pods": 3, "replicas": 1})):
        assert remembered(a_ray_service(annotations={ANNOTATION: text})) == Warmth()
