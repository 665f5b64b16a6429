"""The clocks that run, and what is left of each; pauses are left out, as the operator does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from slipway_cli.explain.figures import at_time, left
from slipway_cli.explain.situation import Situation
from slipway_cli.render import length
from slipway_contracts.base import format_duration
from slipway_contracts.conditions import ConditionStatus, ConditionType, Phase


def clocks(situation: Situation) -> list[str]:
    """One sentence a clock, nearest to the traffic first."""
    found = list(_clocks(situation))
    if situation.rollout.paused_since is not None and found:
        found.append("The step's and the rollout's clocks stand still while it waits for a person.")
    return found


def _clocks(situation: Situation) -> Iterator[str]:
    phase, now = situation.phase, situation.now
    if phase in {Phase.CANARY, Phase.AWAITING_APPROVAL, Phase.PAUSED} and situation.step_ends:
        yield _sentence(
            "This step's minDuration", situation.step_rules.min_duration, situation.step_ends, now
        )
    if phase is Phase.SHADOWING and shadow_ends(situation) is not None:
        shadow, ends = situation.settings.shadow, shadow_ends(situation)
        assert shadow is not None and ends is not None
        yield _sentence("The shadow's minDuration", shadow.min_duration, ends, now)
    in_rollout = {Phase.CANARY, Phase.SHADOWING, Phase.AWAITING_APPROVAL, Phase.PAUSED}
    if phase in in_rollout and situation.rollout_ends is not None:
        ends, limit = situation.rollout_ends, situation.settings.max_duration
        yield _sentence("rollout.maxDuration", limit, ends, now) + _at_the_end(situation)
    if ready_by(situation) is not None:
        ends = ready_by(situation)
        assert ends is not None
        limit = situation.settings.max_duration
        yield _sentence("rollout.maxDuration for its engine to be ready", limit, ends, now)
    waited = situation.version.status.capacity_wait_since
    if waited is not None:
        limit = situation.serving.capacity_timeout
        yield _sentence("serving.capacityTimeout", limit, waited + limit, now)
    yield from _drain_and_watch(situation)


def _drain_and_watch(situation: Situation) -> Iterator[str]:
    now, drained = situation.now, drained_by(situation)
    if drained is not None:
        limit = timedelta(seconds=situation.serving.drain_seconds)
        yield _sentence("serving.drainSeconds", limit, drained, now)
    if situation.watched:
        assert situation.model is not None and situation.model.status.watch_until is not None
        limit = situation.settings.post_promotion_watch
        yield _sentence(
            "rollout.postPromotionWatch", limit, situation.model.status.watch_until, now
        )
    training = situation.version.status.training
    if situation.phase is Phase.TRAINING and training and training.eta_seconds is not None:
        yield f"Training: about {length(training.eta_seconds)} left at this pace."


def shadow_ends(situation: Situation) -> datetime | None:
    """When the shadow phase has lasted long enough."""
    began, shadow = situation.rollout.shadow_started_at, situation.settings.shadow
    if began is None or shadow is None:
        return None
    return began + shadow.min_duration + timedelta(seconds=situation.rollout.paused_seconds)


def ready_by(situation: Situation) -> datetime | None:
    """By when the engine must answer for the first time."""
    taken = situation.version.status.slot_taken_at
    ready = situation.condition(ConditionType.CANDIDATE_READY)
    answers = ready is not None and ready.status is ConditionStatus.TRUE
    if situation.phase is not Phase.DEPLOYING or taken is None or answers:
        return None
    return taken + situation.settings.max_duration


def given_up(situation: Situation) -> datetime | None:
    """When it is given up if its engine does not answer; the nearest of its clocks."""
    waited = situation.version.status.capacity_wait_since
    patience = waited + situation.serving.capacity_timeout if waited is not None else None
    return min(filter(None, (patience, ready_by(situation))), default=None)


def drained_by(situation: Situation) -> datetime | None:
    """By when its streams are cut, if they have not ended."""
    began = situation.rollout.drain_started_at
    if began is None or situation.version.status.outcome is not None:
        return None
    return began + timedelta(seconds=situation.serving.drain_seconds)


def _sentence(what: str, limit: timedelta, ends: datetime, now: datetime) -> str:
    until = f" (until {ends:%H:%M:%S} UTC)" if ends > now else ""
    return f"{what} is {format_duration(limit)}: {left(ends, now)}{until}."


def _at_the_end(situation: Situation) -> str:
    words = {"Abort": "it is rolled back", "Promote": "it is promoted", "Hold": "it is held"}
    return f" Undecided then, {words[situation.settings.analysis.on_undecided]}."


def not_before(moment: datetime | None, now: datetime) -> str:
    """``, not before 12:00:10 UTC (in 42s)``; empty when it is past or unknown."""
    return (
        f", not before {at_time(moment, now).removeprefix('at ')}"
        if moment and moment > now
        else ""
    )
