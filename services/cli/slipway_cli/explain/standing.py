"""Where the version is and what it waits for: one sentence each, by phase. Every phase has both."""

from __future__ import annotations

from slipway_cli.explain.figures import at_time, count
from slipway_cli.explain.reasons import meaning
from slipway_cli.explain.situation import Situation
from slipway_contracts.conditions import Condition, ConditionType, Phase, Reason

_WAITS = (
    ConditionType.ACCEPTED,
    ConditionType.TRAINING_COMPLETE,
    ConditionType.EVALUATION_PASSED,
    ConditionType.CANDIDATE_READY,
)
_UNSEEN = "It waits for the operator to look at it."
# Reasons by which PROMOTED says that a rise is held, and not just under way.
_ON_ITS_WAY = frozenset({Reason.IN_PROGRESS})


def standing(situation: Situation) -> list[str]:
    """Phase and reason, then what the phase means here."""
    status = situation.version.status
    reason = situation.reason
    why = f" ({reason}: {_says(situation, reason)})" if reason is not None else ""
    attempt = f", attempt {status.attempt_number}" if status.attempt_number > 1 else ""
    head = f"mv/{situation.name} of {situation.version.spec.model} is {status.phase}{why}{attempt}."
    lines = [head, *_where(situation)]
    if situation.version.metadata.generation > status.observed_generation:
        lines.append("Its spec was edited since; the operator has not looked at that edit yet.")
    return lines


def _where(situation: Situation) -> list[str]:
    match situation.phase:
        case Phase.CANARY | Phase.PAUSED | Phase.AWAITING_APPROVAL:
            return _ladder(situation)
        case Phase.SHADOWING:
            shadow = situation.settings.shadow
            share = f"{shadow.sample:.0%} of" if shadow is not None else "some"
            return [f"Copies of {share} the requests go to it; its answers are not returned."]
        case Phase.TRAINING:
            return _training(situation)
        case Phase.PROMOTING | Phase.SERVING:
            return [_share(situation)]
        case _:
            return _ended(situation)


def _ladder(situation: Situation) -> list[str]:
    rollout = situation.rollout
    if not rollout.plan or rollout.started_at is None:
        return []
    if rollout.step < 0:
        return [f"Its rollout has not taken its first step (to {rollout.plan[0]} %) yet."]
    step = min(rollout.step, len(rollout.plan) - 1)
    ladder = " → ".join(f"{weight} %" for weight in rollout.plan)
    where = f"It is on step {step + 1} of {len(rollout.plan)} ({ladder})."
    return [where, _share(situation)]


def _share(situation: Situation) -> str:
    rollout = situation.rollout
    if rollout.weight_desired == rollout.weight_observed:
        return f"Every live gateway gives it {rollout.weight_observed} % of the traffic."
    return (
        f"It is to get {rollout.weight_desired} % of the traffic; the gateways apply "
        f"{rollout.weight_observed} % so far."
    )


def _training(situation: Situation) -> list[str]:
    training = situation.version.status.training
    if training is None or not training.max_steps:
        return []
    loss = f", loss {training.loss:.4f}" if training.loss is not None else ""
    again = f", restarted {training.restarts} times" if training.restarts else ""
    steps = f"{count(training.step)} of {count(training.max_steps)} steps"
    return [f"Run {training.run}: {steps}{loss}{again}."]


def _ended(situation: Situation) -> list[str]:
    ended = situation.version.status.outcome or situation.version.status.ending
    if ended is None:
        return []
    said = f": {ended.message}" if ended.message else ""
    return [f"It was decided {at_time(ended.at, situation.now)}{said}."]


def waiting(situation: Situation) -> str:
    """What it waits for, in a sentence; empty where it waits for nothing."""
    match situation.phase:
        case Phase.PENDING | Phase.TRAINING | Phase.EVALUATING:
            return _obstacle(situation, situation.unmet(*_WAITS)) or _UNSEEN
        case Phase.DEPLOYING:
            # The suites on its endpoint wait for the engine, too.
            return _obstacle(situation, situation.unmet(*reversed(_WAITS))) or _UNSEEN
        case Phase.AWAITING_APPROVAL:
            return _obstacle(situation, _approval(situation))
        case Phase.PAUSED:
            return "It waits for a person to let it go on."
        case Phase.SHADOWING:
            return _shadow(situation)
        case Phase.CANARY:
            return _canary(situation)
        case Phase.PROMOTING:
            weight = situation.rollout.weight_desired
            return f"It waits for every live gateway to apply {weight} %."
        case Phase.ROLLING_BACK | Phase.TERMINATING:
            return "It waits for its open streams to end; it gets no new requests."
        case Phase.SERVING:
            return _serving(situation)
        case Phase.SUPERSEDED | Phase.REJECTED | Phase.FAILED | Phase.ROLLED_BACK | Phase.RETIRED:
            return ""


def _approval(situation: Situation) -> Condition | None:
    kinds = (ConditionType.CANDIDATE_READY, ConditionType.PROMOTED)
    found = (situation.unmet(kind) for kind in kinds)
    return next((c for c in found if c and c.reason is Reason.AWAITING_APPROVAL), None)


def _shadow(situation: Situation) -> str:
    shadow = situation.settings.shadow
    if situation.rollout.shadow_started_at is None:
        return "It waits for every live gateway to send copies."
    least = shadow.min_requests if shadow is not None else 1
    return f"It waits until {count(least)} copies were answered and the shadow's time is over."


def _canary(situation: Situation) -> str:
    rollout = situation.rollout
    lost = situation.unmet(ConditionType.CANDIDATE_READY)
    held = situation.unmet(ConditionType.PROMOTED)
    if lost is not None:
        return _obstacle(situation, lost)
    if held is not None and held.reason not in _ON_ITS_WAY:
        return _obstacle(situation, held)
    if rollout.step_started_at is None:
        pending = situation.unmet(ConditionType.TRAFFIC_APPLIED)
        return _obstacle(situation, pending) or "It waits for its step to begin."
    if rollout.verdict == "Pass":
        return "The evidence is good enough; it waits for the step's time to be over."
    said = f": {rollout.message}" if rollout.message else "."
    return f"It waits for evidence{said}"


def _serving(situation: Situation) -> str:
    degraded = situation.condition(ConditionType.DEGRADED)
    if degraded is not None and degraded.status.value == "True":
        return _obstacle(situation, degraded)
    ready = situation.unmet(ConditionType.READY)
    if ready is not None:
        return _obstacle(situation, ready)
    if situation.watched:
        assert situation.model is not None
        before = situation.model.status.previous
        beside = f" beside {before}, which keeps 5 %" if before else ""
        return f"It is still being watched{beside}."
    return ""


def _obstacle(situation: Situation, condition: Condition | None) -> str:
    if condition is None:
        return ""
    said = condition.message.rstrip(".") or _says(situation, condition.reason)
    lead = "It is degraded" if condition.type is ConditionType.DEGRADED else "It waits"
    return f"{lead}: {said} ({condition.type} is {condition.status}, {condition.reason})."


def _says(situation: Situation, reason: Reason) -> str:
    return meaning(reason, version=situation.name, model=situation.version.spec.model).says
