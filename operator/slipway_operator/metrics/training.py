"""How the run that makes a version goes on: steps, loss, pace, and how long ago what happened."""

from __future__ import annotations

from slipway_contracts.metrics import lifecycle as names
from slipway_operator.metrics.followed import Followed, Told


def training(v: Followed, now: float) -> Told:
    """While it runs. ``now``: unix seconds."""
    told, seen = v.status.training, v.milestones
    if told is None or seen is None:
        return
    yield names.TRAINING_STEP, (), told.step
    yield names.TRAINING_STEPS, (), told.max_steps
    yield names.TRAINING_RESTARTS, (), told.restarts
    if told.loss is not None:
        yield names.TRAINING_LOSS, ("train",), told.loss
    if seen.eval_loss is not None:
        yield names.TRAINING_LOSS, ("eval",), seen.eval_loss
    if told.tokens_per_second is not None:
        yield names.TRAINING_SPEED, (), told.tokens_per_second
    if told.eta_seconds is not None:
        yield names.TRAINING_ETA, (), told.eta_seconds
    for metric, at in (
        (names.TRAINING_PROGRESS_AGE, seen.stepped_at),
        (names.TRAINING_CHECKPOINT_AGE, seen.checkpoint_at),
    ):
        since = max((t for t in (at, seen.began_at) if t is not None), default=None)
        if since is not None:
            yield metric, (), max(0.0, now - since)
