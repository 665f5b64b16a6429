"""Alerts about runs that train: no step, no checkpoint, started again and again, no number."""

from __future__ import annotations

from slipway_rules.kinds import Alert, Group, Severity

_BY = "by (namespace, model, version)"
_NAMED = "{{ $labels.version }} of {{ $labels.model }}"

STALLED = Alert(
    name="TrainingStalled",
    expr=f"max {_BY} (slipway_training_progress_age_seconds) > 900",
    hold="1m",
    severity=Severity.TICKET,
    summary=f"The training of {_NAMED} takes no step",
    description=(
        "No step for {{ $value | humanizeDuration }}. Read its log: "
        "`slipway logs {{ $labels.version }} --run train --tail 50`; a run that hangs is ended "
        "with `slipway abort {{ $labels.version }}` and goes on from its checkpoint after "
        "`slipway retry {{ $labels.version }}`."
    ),
    meaning="A run has taken no step for 15 minutes.",
)
CHECKPOINT = Alert(
    name="TrainingCheckpointOverdue",
    expr=f"""max {_BY} (slipway_training_checkpoint_age_seconds) > 7200
unless
max {_BY} (slipway_training_progress_age_seconds) > 900""",
    hold="5m",
    severity=Severity.TICKET,
    summary=f"The training of {_NAMED} seals no checkpoint",
    description=(
        "It makes steps, but the last checkpoint is {{ $value | humanizeDuration }} old: a crash "
        "loses that much. See whether the disk is full or checkpoints fail: "
        "`slipway logs {{ $labels.version }} --run train --tail 50`."
    ),
    meaning="A run that makes steps has sealed no checkpoint for two hours.",
)
RESTARTING = Alert(
    name="TrainingRestarts",
    expr=f"""max {_BY} (max_over_time(slipway_training_restarts[1h]))
-
min {_BY} (min_over_time(slipway_training_restarts[1h]))
>= 3""",
    hold="0s",
    severity=Severity.TICKET,
    summary=f"The training of {_NAMED} is started again and again",
    description=(
        "{{ $value }} times within an hour. The end of each try's log says why: "
        "`slipway logs {{ $labels.version }} --run train`."
    ),
    meaning="A run was started again three times within an hour.",
)
LOSS = Alert(
    name="TrainingLossNotFinite",
    expr="""slipway_training_loss != slipway_training_loss
or
abs(slipway_training_loss) == +Inf""",
    hold="0s",
    severity=Severity.TICKET,
    summary=f"The loss of {_NAMED} is not a number",
    description=(
        "What it learns from here on is worthless. `slipway abort {{ $labels.version }}`, then a "
        "new version with a lower learning rate, or with gradients clipped."
    ),
    meaning="The loss of a run is NaN or infinite.",
)


def groups() -> tuple[Group, ...]:
    """What the file ``training.yaml`` holds."""
    return (Group(name="slipway-training", rules=(STALLED, CHECKPOINT, RESTARTING, LOSS)),)
