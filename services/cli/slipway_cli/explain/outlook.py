"""What happens next, when at the earliest, and what a person can do."""

from __future__ import annotations

from slipway_cli.explain.clocks import drained_by, given_up, not_before, shadow_ends
from slipway_cli.explain.figures import at_time, count
from slipway_cli.explain.reasons import meaning
from slipway_cli.explain.situation import Situation
from slipway_cli.render import length
from slipway_contracts.conditions import TERMINAL_PHASES, ConditionType, Phase

_CLIMBING = frozenset({Phase.CANARY, Phase.SHADOWING})


def outlook(situation: Situation) -> str:
    """The next thing that the operator does by itself."""
    now = situation.now
    match situation.phase:
        case Phase.PENDING:
            return "Next: it goes on by itself once that is there; no clock runs."
        case Phase.TRAINING:
            return "Next: its artifact is verified and evaluated" + _training_ends(situation) + "."
        case Phase.EVALUATING:
            return "Next: its gates are judged when the run has ended."
        case Phase.DEPLOYING:
            late = given_up(situation)
            if late is None:
                return "Next: its rollout begins when the gates on its endpoint are passed."
            begins = "Next: its rollout begins as soon as its engine answers"
            return f"{begins}; given up {at_time(late, now)}."
        case Phase.SHADOWING:
            return f"Next: its first real traffic{not_before(shadow_ends(situation), now)}."
        case Phase.CANARY:
            return _next_step(situation)
        case Phase.AWAITING_APPROVAL | Phase.PAUSED:
            return "Next: nothing, until a person acts; a bad verdict still takes its traffic."
        case Phase.PROMOTING:
            return "Next: it serves, watched beside the version before."
        case Phase.SERVING:
            return _after_serving(situation)
        case Phase.ROLLING_BACK | Phase.TERMINATING:
            late = drained_by(situation)
            return "Next: its engine is stopped" + (
                f", {at_time(late, now)} at the latest."
                if late is not None
                else " when it is drained."
            )
        case Phase.SUPERSEDED | Phase.REJECTED | Phase.FAILED | Phase.ROLLED_BACK | Phase.RETIRED:
            return "Next: nothing; this attempt is over."


def _training_ends(situation: Situation) -> str:
    training = situation.version.status.training
    if training is None or training.eta_seconds is None:
        return " when the run has ended"
    return f", in about {length(training.eta_seconds)}"


def _next_step(situation: Situation) -> str:
    rollout, late = situation.rollout, given_up(situation)
    if situation.unmet(ConditionType.CANDIDATE_READY) is not None:
        or_else = f"; rolled back {at_time(late, situation.now)} otherwise" if late else ""
        return f"Next: it gets its weight as soon as its engine answers{or_else}."
    following = rollout.step + 1
    last = following >= len(rollout.plan) or situation.settings.strategy == "Direct"
    what = "promotion" if last else f"step {following + 1} ({rollout.plan[following]} %)"
    if rollout.step < 0 or situation.settings.strategy == "Direct":
        return f"Next: {what}, as soon as gateways and replicas are ready."
    if rollout.step_started_at is None:
        return f"Next: this step begins when every live gateway applies {situation.weight} %."
    asks = _asks(situation, last=last)
    when = not_before(situation.step_ends, situation.now)
    if rollout.verdict == "Pass":
        return f"Next: {what}{asks}{when or ', now'}."
    return f"Next: {what}{asks}, when every metric passes{when}{_estimate(situation)}."


def _asks(situation: Situation, *, last: bool) -> str:
    if situation.version.spec.approval.granted:
        return ""
    settings, rollout = situation.settings, situation.rollout
    if last:
        return "" if settings.auto_promote else " after a person's approval"
    weight = rollout.plan[rollout.step + 1]
    own = next((step for step in settings.steps if step.weight == weight), None)
    return " after a person's approval" if own is not None and own.approval else ""


def _estimate(situation: Situation) -> str:
    """How many more requests, and how long they take at the pace of this step."""
    measured, seconds = situation.measured, situation.step_seconds
    needed = measured.body.get("requests_needed") if measured is not None else None
    if not isinstance(needed, int) or not needed or measured is None:
        return ""
    seen = max((m.get("candidate_n") or 0 for m in measured.body.get("metrics") or ()), default=0)
    pace = (
        f", about {length(needed / (seen / seconds))} at this pace" if seen and seconds > 0 else ""
    )
    return f"; {count(needed)} more good requests would do{pace}"


def _after_serving(situation: Situation) -> str:
    if not situation.watched:
        return "Next: nothing, until a newer version is promoted."
    assert situation.model is not None and situation.model.status.watch_until is not None
    before = situation.model.status.previous
    ends = at_time(situation.model.status.watch_until, situation.now)
    goes = f"; then {before} is drained" if before else ""
    return f"Next: the watch ends {ends}{goes}. A bad verdict until then rolls it back."


def actions(situation: Situation) -> list[str]:
    """What a person can do: the reason's own advice, then what always works in this phase."""
    name, model = situation.name, situation.version.spec.model
    reason = situation.reason
    advice = meaning(reason, version=name, model=model).do if reason is not None else ""
    phase = situation.phase
    lines = [advice] if advice and phase is not Phase.TERMINATING else []
    if phase in _CLIMBING:
        lines += [
            f"hold it: slipway pause {name}",
            f"end it: slipway abort {name}",
            f"give it all traffic now: slipway promote {name}",
        ]
    elif phase is Phase.PAUSED:
        lines.append(f"end it: slipway abort {name}")
    elif phase is Phase.AWAITING_APPROVAL:
        lines += [f"say yes: slipway approve {name}", f"say no: slipway abort {name}"]
    elif phase is Phase.SERVING:
        lines.append(f"go back to the version before: slipway undo {model}")
    elif phase not in TERMINAL_PHASES and phase not in {Phase.ROLLING_BACK, Phase.TERMINATING}:
        lines.append(f"end it: slipway abort {name}")
    return list(dict.fromkeys(lines))
