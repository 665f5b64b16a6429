"""Situations that ``rollout explain`` and ``report`` are asked about, at one frozen moment.

``situations`` has one for each phase and the odd corners; ``a_rolled_back_life`` is a whole life
with judgements, progress, traffic and events, for the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from builders import VersionBuilder, a_model, a_model_version, at

from slipway_cli.explain.explaining import explain
from slipway_cli.explain.situation import Situation
from slipway_cli.report.material import Material
from slipway_contracts.conditions import ConditionType, Phase, Reason
from slipway_contracts.evaluation import GateResult
from slipway_contracts.model import Model
from slipway_contracts.model_version import (
    EvaluationStatus,
    LineageStatus,
    Outcome,
    SlowThresholds,
    TrainingStatus,
)
from slipway_contracts.run import Progress
from slipway_store.events import Event
from slipway_store.measurements import Measurement
from slipway_store.traffic import Traffic

NOW = at(42)
THRESHOLDS = SlowThresholds(ttft_ms=812, token_ms=95)


def metric(name: str = "error", verdict: str = "Continue", **figures: Any) -> dict[str, Any]:
    """A judged metric as ``measurements`` keeps it."""
    usual = {
        "candidate_n": 812,
        "candidate_bad": 3,
        "stable_n": 7300,
        "stable_bad": 22,
        "fail_log_e": -1.2,
        "fail_threshold": 4.6,
        "pass_log_e": 1.0,
        "pass_threshold": 3.0,
    }
    return {"metric": name, "verdict": verdict, "message": f"{name} said"} | usual | figures


def measured(
    version: VersionBuilder,
    verdict: str = "Continue",
    *metrics: Mapping[str, Any],
    step: int = 0,
    seconds: float = 40,
    needed: int | None = None,
) -> Measurement:
    return Measurement(
        model="chat",
        version=version.name,
        attempt=version.status.attempt,
        step=step,
        at=at(seconds),
        verdict=verdict,
        body={
            "verdict": verdict,
            "metrics": list(metrics),
            "requests_needed": needed,
            "message": f"judged {verdict}",
        },
    )


def model(**status: Any) -> Model:
    built = a_model().build()
    return built.model_copy(update={"status": built.status.model_copy(update=status)})


def in_phase(version: VersionBuilder, phase: Phase) -> VersionBuilder:
    return version.with_status(phase=phase, observed_generation=1)


def told(
    version: VersionBuilder,
    phase: Phase,
    *,
    of: Model | None = None,
    found: Measurement | None = None,
    **how: Any,
) -> Situation:
    return Situation(
        version=in_phase(version, phase).build(),
        now=NOW,
        model=of or model(),
        measured=found,
        **how,
    )


def _canary(step: int = 0) -> VersionBuilder:
    version = a_model_version("v2").canary(step)
    weight = (10, 50)[step]
    return version.with_rollout(
        weight_desired=weight,
        weight_observed=weight,
        thresholds=THRESHOLDS,
        verdict="Continue",
        message="Holding at step 1 (10 %): error: undecided.",
    )


def situations() -> dict[str, Situation]:
    """By what a person would call it."""
    return {**_before(), **_climbing(), **_after()}


def _before() -> dict[str, Situation]:
    v2 = a_model_version("v2").accepted()
    waits = ConditionType.CANDIDATE_READY
    training = TrainingStatus(
        run="v2-train", step=120, max_steps=400, loss=3.2178, eta_seconds=95, restarts=1
    )
    return {
        "pending, nothing was said yet": told(a_model_version("v2"), Phase.PENDING),
        "pending, its Model is missing": Situation(
            version=in_phase(
                a_model_version("v2").saying(
                    ConditionType.ACCEPTED, "False", Reason.MODEL_NOT_FOUND
                ),
                Phase.PENDING,
            ).build(),
            now=NOW,
        ),
        "pending, another rollout has the slot": told(
            v2.with_artifact().saying(waits, "False", Reason.ANOTHER_ROLLOUT_ACTIVE), Phase.PENDING
        ),
        "training": told(
            v2.with_status(training=training).saying(
                ConditionType.TRAINING_COMPLETE, "False", Reason.TRAINING_RUNNING
            ),
            Phase.TRAINING,
        ),
        "evaluating": told(
            v2.with_artifact().saying(
                ConditionType.EVALUATION_PASSED, "False", Reason.EVALUATION_RUNNING
            ),
            Phase.EVALUATING,
        ),
        "deploying": told(
            a_model_version("v2").with_slot().saying(waits, "False", Reason.STARTING),
            Phase.DEPLOYING,
        ),
        "deploying, probed": told(
            a_model_version("v2")
            .with_slot()
            .saying(waits, "True", Reason.BACKEND_READY)
            .saying(ConditionType.EVALUATION_PASSED, "Unknown", Reason.EVALUATION_RUNNING),
            Phase.DEPLOYING,
        ),
        "deploying, no room": told(
            a_model_version("v2")
            .with_slot()
            .saying(waits, "False", Reason.INSUFFICIENT_CAPACITY)
            .saying(ConditionType.STALLED, "True", Reason.INSUFFICIENT_CAPACITY)
            .with_status(capacity_wait_since=at(10)),
            Phase.DEPLOYING,
        ),
    }


def _climbing() -> dict[str, Situation]:
    canary = _canary()
    passing = canary.with_rollout(verdict="Pass")
    error = metric("error", "Pass")
    slow = metric("slow_start", "Continue", candidate_bad=160, stable_bad=365)
    quiet = metric("thumbs_down", "Continue", candidate_n=40, stable_n=0, pass_threshold=None)
    none = metric("truncated", "NoData", candidate_n=0, candidate_bad=0)
    direct = a_model_version("v2").rollout(strategy="Direct").canary(0)
    return {
        "shadowing": told(
            a_model_version("v2").rollout(shadow={"sample": 0.1}).shadowing(), Phase.SHADOWING
        ),
        "canary, not decided": told(
            canary,
            Phase.CANARY,
            found=measured(canary, "Continue", error, slow, quiet, none, needed=120),
        ),
        "canary, passed, time runs": told(
            passing, Phase.CANARY, found=measured(passing, "Pass", error)
        ),
        "canary, last step": told(
            _canary(1), Phase.CANARY, found=measured(_canary(1), "Continue", slow, step=1)
        ),
        "canary, gateways are behind": told(
            a_model_version("v2")
            .canary(0, None)
            .with_rollout(weight_desired=10)
            .saying(ConditionType.TRAFFIC_APPLIED, "False", Reason.ROUTES_PENDING),
            Phase.CANARY,
        ),
        "canary, the engine is lost": told(
            canary.saying(ConditionType.CANDIDATE_READY, "False", Reason.BACKEND_LOST).with_status(
                capacity_wait_since=at(30)
            ),
            Phase.CANARY,
        ),
        "canary, held by replicas": told(
            passing.saying(ConditionType.PROMOTED, "False", Reason.STARTING), Phase.CANARY
        ),
        "canary, direct": told(direct, Phase.CANARY),
        "canary, from outside a cluster": told(canary, Phase.CANARY, evidence_reachable=False),
        "canary, judged by thresholds": told(
            a_model_version("v2").rollout(analysis={"mode": "Threshold"}).canary(0),
            Phase.CANARY,
            found=measured(canary, "Continue", error),
        ),
        "awaiting approval": told(
            passing.saying(ConditionType.PROMOTED, "False", Reason.AWAITING_APPROVAL).with_rollout(
                paused_since=at(20)
            ),
            Phase.AWAITING_APPROVAL,
        ),
        "paused": told(
            canary.desired("Paused")
            .saying(ConditionType.PAUSED, "True", Reason.PAUSED)
            .with_rollout(paused_since=at(20)),
            Phase.PAUSED,
        ),
        "promoting": told(
            a_model_version("v2").watched(None).with_rollout(weight_desired=95), Phase.PROMOTING
        ),
    }


def _after() -> dict[str, Situation]:
    v2 = a_model_version("v2")
    serving = v2.serving_since(-1000).with_rollout(weight_desired=100, weight_observed=100)
    stable = model(stable="v2", previous="v1", watch_until=at(600))
    ends = {
        Phase.SUPERSEDED: Reason.SUPERSEDED,
        Phase.REJECTED: Reason.GATE_FAILED,
        Phase.FAILED: Reason.TRAINING_FAILED,
        Phase.ROLLED_BACK: Reason.GUARD_TRIPPED,
        Phase.RETIRED: Reason.RETIRED,
    }
    return {
        "serving": told(serving, Phase.SERVING, of=model(stable="v2")),
        "serving, watched": told(
            v2.watched(0).with_rollout(weight_desired=95, weight_observed=95),
            Phase.SERVING,
            of=stable,
        ),
        "serving, degraded": told(
            serving.saying(ConditionType.DEGRADED, "True", Reason.ANALYSIS_FAILED), Phase.SERVING
        ),
        "rolling back": told(
            v2.canary(0).leaving().with_rollout(drain_started_at=at(35)), Phase.ROLLING_BACK
        ),
        "terminating": told(v2.canary(0).leaving(Phase.RETIRED), Phase.TERMINATING),
        **{f"ended as {phase}": told(v2.ended(phase, why), phase) for phase, why in ends.items()},
    }


def explained() -> list[str]:
    """Every situation in sentences: what is frozen."""
    lines: list[str] = []
    for name, situation in situations().items():
        lines += [f"## {name}", *explain(situation).lines(), ""]
    return lines


def a_rolled_back_life(name: str = "v3", said: str = "too many truncated answers") -> Material:
    """Trained, evaluated, two steps up, down again. ``said`` goes wherever text can."""
    outcome = Outcome(
        phase=Phase.ROLLED_BACK, reason=Reason.ANALYSIS_FAILED, message=said, at=at(100)
    )
    version = (
        a_model_version("v3")
        .trained()
        .created(-300)
        .canary(1, 60)
        .saying(ConditionType.TRAINING_COMPLETE, "True", Reason.TRAINING_SUCCEEDED)
        .with_rollout(decided_at=at(95), drain_started_at=at(96), thresholds=THRESHOLDS)
        .with_status(
            phase=Phase.ROLLED_BACK,
            observed_generation=1,
            ending=outcome,
            outcome=outcome,
            training=TrainingStatus(run="v3-train", step=400, max_steps=400, loss=2.9),
            lineage=LineageStatus(dataset_digest="sha256:" + "d" * 64, code_revision=said),
            evaluation=EvaluationStatus(
                run="v3-eval",
                baseline="v2",
                passed=1,
                total=1,
                gates=(
                    GateResult(
                        metric="heldout.loss",
                        passed=True,
                        value=2.91,
                        baseline=2.95,
                        samples=64,
                        message=said,
                    ),
                ),
            ),
        )
    )
    built = version.build()
    situation = Situation(version=built, now=at(120), model=_gated())
    looks = [
        measured(
            version,
            "Fail" if second == 95 else "Continue",
            metric("error", candidate_n=5 * second, candidate_bad=0, stable_n=20 * second),
            metric("truncated", candidate_n=5 * second, candidate_bad=second, stable_n=20 * second),
            step=int(second >= 60),
            seconds=second,
        )
        for second in range(5, 100, 5)
    ]
    return Material(
        situation=situation,
        explanation=explain(situation),
        measurements=looks,
        progress=[
            Progress(at=step, step=step, max_steps=400, loss=8 - step / 80, eval_loss=held)
            for step in range(5, 401, 5)
            for held in [8.1 - step / 80 if step % 50 == 0 else None]
        ],
        traffic=[
            Traffic(at=at(10 * n), version=v, requests=w, bad=0)
            for n in range(12)
            for v, w in (("v2", 60), (name, 10 if n < 6 else 50))
        ],
        bucket=10,
        events=[
            Event(
                id=n, at=at(n), kind="ModelVersion", namespace="default", name=name,
                type="Normal", reason="InProgress", message=said,
            )
            for n in range(3)
        ],
    )  # fmt: skip


def _gated() -> Model:
    suites = [{"name": "heldout", "kind": "heldout"}]
    gates = [{"metric": "heldout.loss", "max": 4.0, "maxRelativeIncrease": 0.02}]
    return a_model().with_spec(evaluation={"suites": suites, "gates": gates}).build()
