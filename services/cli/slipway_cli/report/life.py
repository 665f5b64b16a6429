"""A version's stations in time, from its status: training, evaluation, deployment, steps, watch.

Only what the status remembers. A condition's moment is that of its last flip, so after a retry the
earlier attempts are in the history and not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from slipway_cli.explain.figures import count
from slipway_cli.explain.situation import Situation
from slipway_contracts.conditions import ConditionStatus, ConditionType
from slipway_contracts.model_version import StepSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """``end``: None while it goes on. ``tone`` says how it went."""

    name: str
    start: datetime
    end: datetime | None
    says: str
    tone: str = "neutral"


def stations(situation: Situation) -> list[Station]:
    """In their order; none lasts longer than the version's end."""
    ended = situation.version.status.outcome
    over = ended.at if ended is not None else None
    found = [*_making(situation, over), *_rollout(situation, over)]
    return sorted(found, key=lambda station: station.start)


def _making(situation: Situation, over: datetime | None) -> Iterator[Station]:
    version, status = situation.version, situation.version.status
    created = version.metadata.creation_timestamp
    if created is None:
        return
    made = _flipped(situation, ConditionType.TRAINING_COMPLETE)
    what = "Training" if version.spec.source.training is not None else "Import"
    if status.attempt_number <= 1:
        yield Station(name=what, start=created, end=made or over, says=f"{what} of the artifact")
    judged = _flipped(situation, ConditionType.EVALUATION_PASSED)
    if made is not None and status.evaluation is not None:
        passed = judged is not None
        end = judged or over
        yield Station(
            name="Evaluation",
            start=made,
            end=end if end is None or end >= made else made,
            says=f"{status.evaluation.summary} gates passed",
            tone="good" if passed else "bad" if over is not None else "neutral",
        )
    taken = status.slot_taken_at
    began = situation.rollout.started_at
    if taken is not None and (began is None or began > taken):
        yield Station(
            name="Deploying", start=taken, end=began or over, says="Its engine starts and is warmed"
        )


def _rollout(situation: Situation, over: datetime | None) -> Iterator[Station]:
    rollout = situation.rollout
    if rollout.shadow_started_at is not None:
        yield Station(
            name="Shadow",
            start=rollout.shadow_started_at,
            end=rollout.shadow_ended_at or over,
            says="Copies of requests, answers not returned",
        )
    for step in rollout.steps:
        watch = step.step >= len(rollout.plan)
        yield Station(
            name=f"Watch {step.weight} %" if watch else f"Step {step.step + 1}: {step.weight} %",
            start=step.started_at,
            end=step.ended_at or over,
            says=_step(step),
            tone={"Pass": "good", "Fail": "bad"}.get(step.verdict, _tone(situation, step)),
        )
    ending = situation.version.status.ending
    began = rollout.drain_started_at or (ending.at if ending is not None else None)
    if began is not None:
        yield Station(name="Drain", start=began, end=over, says="No new requests; streams run out")


def _step(step: StepSummary) -> str:
    said = f", {step.verdict}" if step.verdict else ""
    return f"{step.weight} %: {count(step.requests)} requests, {count(step.bad)} bad{said}"


def _tone(situation: Situation, step: StepSummary) -> str:
    """The step in which a rollout was ended badly."""
    ending = situation.version.status.ending
    last = situation.rollout.steps[-1] if situation.rollout.steps else None
    bad = ending is not None and ending.phase.value in {"RolledBack", "Failed"}
    return "bad" if bad and step is last else "neutral"


def _flipped(situation: Situation, kind: ConditionType) -> datetime | None:
    """When the condition became true."""
    found = situation.condition(kind)
    true = found is not None and found.status is ConditionStatus.TRUE
    return found.last_transition_time if found is not None and true else None
