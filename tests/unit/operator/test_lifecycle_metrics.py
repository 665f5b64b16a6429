"""The versions on the operator's page: what each shows, when it leaves, how many there may be."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from builders import T0, a_model, a_model_version, at
from metric_pages import of_owner, samples, silent, strays

from slipway_contracts.conditions import ConditionType, Phase, Reason
from slipway_contracts.evaluation import GateResult
from slipway_contracts.metrics import lifecycle as names
from slipway_contracts.metrics import operator as own
from slipway_contracts.metrics.kinds import OTHER, Owner
from slipway_contracts.model_version import EvaluationStatus, Outcome, TrainingStatus
from slipway_operator.core.decision import Decision
from slipway_operator.core.snapshot import (
    Analysis,
    Milestones,
    RunObservation,
    RunState,
    Snapshot,
)
from slipway_operator.metrics import Lifecycle, Metrics
from slipway_telemetry.page import pieces
from slipway_verdicts.judge import Judgement, MetricJudgement, Verdict

LOOK = Judgement(
    verdict=Verdict.CONTINUE,
    metrics=(
        MetricJudgement(
            metric="error",
            verdict=Verdict.CONTINUE,
            candidate_n=200,
            candidate_bad=4,
            stable_n=1000,
            stable_bad=40,
        ),
        MetricJudgement(metric="empty", verdict=Verdict.PASS, candidate_n=200, stable_n=1000),
    ),
)
GATE = GateResult(metric="heldout.loss", passed=True, value=1.5, baseline=1.6, samples=64)


class Clock:
    def __init__(self) -> None:
        self.now = T0

    def __call__(self):
        return self.now


class Page:
    """A lifecycle's page, pass by pass."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.lifecycle = Lifecycle(clock=self.clock)
        self.text = ""

    def saw(self, *versions, model=None, **snapshot) -> None:
        built = tuple(v.build() for v in versions)
        self.lifecycle.saw(
            "chat",
            Snapshot(
                now=self.clock.now,
                model=(model or a_model()).build(),
                versions=built,
                **snapshot,
            ),
            Decision(),
        )

    def show(self) -> None:
        self.text = "".join(pieces(self.lifecycle.families()))

    def value(self, metric, /, **labels) -> float | None:
        self.show()
        wanted = {"model": "chat"} | labels
        found = [
            s.value for s in samples(self.text) if s.name == metric.name and s.labels == wanted
        ]
        return found[0] if found else None

    def series(self, version: str) -> int:
        self.show()
        return sum(s.labels.get("version") == version for s in samples(self.text))


@pytest.fixture
def page() -> Page:
    return Page()


def a_canary():
    status = {"evaluation": EvaluationStatus(gates=(GATE,), passed=1, total=1)}
    canary = a_model_version("v2").canary(step=1, since=10)
    return canary.with_status(phase=Phase.CANARY, **status).with_rollout(
        weight_desired=50, weight_observed=10, errors_spent=2, paused_seconds=5.0
    )


def a_training(name: str = "v3"):
    training = TrainingStatus(
        run=f"{name}-run",
        step=40,
        max_steps=100,
        loss=2.5,
        tokens_per_second=900.0,
        eta_seconds=60.0,
        restarts=1,
    )
    return a_model_version(name).trained().with_status(phase=Phase.TRAINING, training=training)


def a_run(**milestones) -> dict[str, RunObservation]:
    seen = Milestones(**milestones)
    return {"v3-run": RunObservation(name="v3-run", state=RunState.RUNNING, milestones=seen)}


def test_a_page_has_every_metric_of_the_lifecycle_and_nothing_else(page: Page) -> None:
    stalled = a_model_version("v4").with_status(phase=Phase.DEPLOYING)
    stalled = stalled.saying(ConditionType.STALLED, "True", Reason.INSUFFICIENT_CAPACITY)
    page.saw(
        a_canary(),
        a_training(),
        stalled,
        analysis=Analysis(version="v2", judgement=LOOK),
        runs=a_run(began_at=1.0, stepped_at=2.0, checkpoint_at=2.0, eval_loss=2.7),
    )
    page.show()
    assert not strays(page.text, Owner.OPERATOR)
    assert not silent(page.text, Owner.OPERATOR, but=[metric.name for metric in own.OPERATOR])


def test_a_rollout_tells_its_steps_clocks_and_evidence(page: Page) -> None:
    page.saw(a_canary(), analysis=Analysis(version="v2", judgement=LOOK))
    page.clock.now = at(100)
    of = {"version": "v2"}
    assert page.value(names.VERSION_PHASE, phase="Canary", **of) == 1
    assert page.value(names.VERSION_PHASE, phase="Serving", **of) is None
    assert page.value(names.ROLLOUT_WEIGHT, kind="desired", **of) == 50
    assert page.value(names.ROLLOUT_WEIGHT, kind="observed", **of) == 10
    assert (page.value(names.ROLLOUT_STEP, **of), page.value(names.ROLLOUT_STEPS, **of)) == (1, 2)
    assert page.value(names.ROLLOUT_SECONDS, **of) == 95
    assert page.value(names.ROLLOUT_STEP_SECONDS, **of) == 90
    assert page.value(names.ROLLOUT_MAX_SECONDS, **of) == 7200
    assert page.value(names.ROLLOUT_PAUSED, **of) == 0
    assert page.value(names.ERROR_BUDGET, kind="spent", **of) == 2
    assert page.value(names.ERROR_BUDGET, kind="total", **of) == 5
    error = {"metric": "error", **of}
    assert page.value(names.ANALYSIS_RATE, side="candidate", **error) == 0.02
    assert page.value(names.ANALYSIS_RATE, side="stable", **error) == 0.04
    assert page.value(names.ANALYSIS_BOUND, **error) == pytest.approx(0.05)
    assert page.value(names.ANALYSIS_BOUND, metric="empty", **of) == 0.01
    assert page.value(names.ANALYSIS_VERDICT, verdict="Continue", **error) == 1
    gate = {"gate": "heldout.loss", **of}
    assert page.value(names.EVALUATION_SCORE, side="candidate", **gate) == 1.5
    assert page.value(names.EVALUATION_SCORE, side="baseline", **gate) == 1.6


def test_a_paused_rollouts_clocks_stand_still(page: Page) -> None:
    paused = a_canary().with_rollout(paused_since=at(30))
    page.saw(paused)
    page.clock.now = at(1000)
    assert page.value(names.ROLLOUT_SECONDS, version="v2") == 25
    assert page.value(names.ROLLOUT_STEP_SECONDS, version="v2") == 20
    assert page.value(names.ROLLOUT_PAUSED, version="v2") == 1


def test_a_version_that_serves_has_its_weight_and_no_clock(page: Page) -> None:
    serving = a_model_version("v1").serving_since().with_status(phase=Phase.SERVING)
    page.saw(serving.with_rollout(weight_desired=100, weight_observed=100))
    assert page.value(names.ROLLOUT_WEIGHT, version="v1", kind="observed") == 100
    assert page.value(names.ROLLOUT_SECONDS, version="v1") is None
    assert page.value(names.ANALYSIS_VERDICT, version="v1", metric="error", verdict="Pass") is None


def test_one_that_ended_keeps_its_phase_for_half_an_hour(page: Page) -> None:
    ended = a_canary().ended(Phase.ROLLED_BACK, Reason.ANALYSIS_FAILED)
    page.saw(ended.with_status(phase=Phase.ROLLED_BACK))
    page.clock.now = T0 + timedelta(minutes=29)
    assert page.value(names.VERSION_PHASE, version="v2", phase="RolledBack") == 1
    assert page.series("v2") == 1
    page.clock.now = T0 + timedelta(minutes=31)
    assert page.series("v2") == 0
    assert page.lifecycle.versions_by_phase()["RolledBack"] == 1


def test_a_run_tells_how_long_it_has_been_silent(page: Page) -> None:
    start = T0.timestamp()
    page.saw(a_training(), runs=a_run(began_at=start, stepped_at=start + 50, checkpoint_at=start))
    page.clock.now = at(80)
    of = {"version": "v3"}
    assert page.value(names.TRAINING_PROGRESS_AGE, **of) == 30
    assert page.value(names.TRAINING_CHECKPOINT_AGE, **of) == 80
    assert page.value(names.TRAINING_STEP, **of) == 40
    assert page.value(names.TRAINING_LOSS, split="train", **of) == 2.5
    assert page.value(names.TRAINING_LOSS, split="eval", **of) is None
    # Lines that are not at the end of its file any more are remembered.
    page.saw(a_training(), runs=a_run(stepped_at=start + 79, eval_loss=2.6))
    assert page.value(names.TRAINING_CHECKPOINT_AGE, **of) == 80
    assert page.value(names.TRAINING_PROGRESS_AGE, **of) == 1
    page.saw(a_training(), runs=a_run(stepped_at=start + 80))
    assert page.value(names.TRAINING_LOSS, split="eval", **of) == 2.6


def test_a_run_that_waits_for_room_is_not_stalled(page: Page) -> None:
    waiting = {n: replace(run, message="waits for a node") for n, run in a_run().items()}
    page.saw(a_training(), runs=waiting)
    assert page.value(names.TRAINING_PROGRESS_AGE, version="v3") is None
    page.saw(a_training(), runs=a_run())
    page.clock.now = at(60)
    assert page.value(names.TRAINING_PROGRESS_AGE, version="v3") == 60


def test_a_run_that_has_ended_is_not_told(page: Page) -> None:
    page.saw(a_training().with_status(phase=Phase.EVALUATING), runs=a_run(began_at=1.0))
    assert page.value(names.TRAINING_STEP, version="v3") is None


def test_a_model_that_is_gone_takes_its_versions_along(page: Page) -> None:
    page.saw(a_canary())
    page.lifecycle.saw("chat", Snapshot(now=T0, model=None), Decision())
    assert page.series("v2") == 0
    assert sum(page.lifecycle.versions_by_phase().values()) == 0


def test_ten_thousand_models_stay_within_the_labels_bounds() -> None:
    metrics = Metrics()
    canary = a_canary()
    for i in range(10_000):
        model = a_model(f"m{i}").build()
        version = canary.build()
        version = version.model_copy(
            update={"metadata": version.metadata.model_copy(update={"name": f"m{i}-v2"})}
        )
        metrics.lifecycle.saw(
            f"m{i}", Snapshot(now=T0, model=model, versions=(version,)), Decision()
        )
    text = metrics.text().decode()
    assert not strays(text, Owner.OPERATOR)
    found = Counter(s.labels["model"] for s in samples(text) if s.name == names.ROLLOUT_STEP.name)
    assert found[OTHER] > 1
    assert len(found) == 501


def test_the_processes_own_page_begins_at_zero() -> None:
    metrics = Metrics()
    for metric, census in (
        (own.LEADER, {"": 1}),
        (own.QUEUE_DEPTH, {"": 0}),
        (own.OPERATOR_CONNECTED, {"": 1}),
        (own.VERSIONS, metrics.lifecycle.versions_by_phase()),
        (own.MODELS, metrics.lifecycle.models_by_ready()),
    ):
        metrics.gauge(metric, lambda census=census: census)
    text = metrics.text().decode()
    assert not strays(text, Owner.OPERATOR)
    assert not silent(text, Owner.OPERATOR, but=[metric.name for metric in names.LIFECYCLE])
    metrics.outcome(Outcome(phase=Phase.ROLLED_BACK, reason=Reason.GUARD_TRIPPED, at=T0))
    labels = {"phase": "RolledBack", "reason": "GuardTripped"}
    name = own.ROLLOUT_OUTCOMES.name
    (before,) = [s.value for s in samples(text) if s.name == name and s.labels == labels]
    after = metrics.registry.get_sample_value(name, labels)
    assert (before, after) == (0, 1)
    assert set(of_owner(Owner.OPERATOR)) == {m.name for m in (*own.OPERATOR, *names.LIFECYCLE)}
