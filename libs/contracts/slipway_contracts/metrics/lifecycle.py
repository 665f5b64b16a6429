"""What the operator emits of the versions that it looks after, from their status and evidence.

Only versions that do something: one that has ended and serves nothing keeps its phase for half an
hour, so that an alert can name it, and has no series after that. A year of rollouts costs no more
than a day's. Where one value of a label holds (a phase, a verdict), only its series is there.
"""

from __future__ import annotations

from slipway_contracts.conditions import Phase, Reason
from slipway_contracts.metrics.kinds import MODEL, VERSION, Label, MetricName, Owner
from slipway_contracts.model import Task
from slipway_contracts.rollout import Metric

_OF_VERSION = (MODEL, VERSION)
_ANALYSIS = Label(name="metric", values=tuple(metric.value for metric in Metric))
_GATE = Label(name="gate", bound=64)

MODEL_INFO = MetricName(
    name="slipway_model_info",
    kind="gauge",
    of=(MODEL, Label(name="task", values=tuple(task.value for task in Task))),
    help="1 for every Model, with its task.",
    owner=Owner.OPERATOR,
)
VERSION_PHASE = MetricName(
    name="slipway_version_phase",
    kind="gauge",
    of=(*_OF_VERSION, Label(name="phase", values=tuple(phase.value for phase in Phase))),
    help="1 for the phase that the version is in.",
    owner=Owner.OPERATOR,
)
VERSION_STALLED = MetricName(
    name="slipway_version_stalled",
    kind="gauge",
    of=(*_OF_VERSION, Label(name="reason", values=tuple(reason.value for reason in Reason))),
    help="1 while the version's Stalled condition is true, with its reason.",
    owner=Owner.OPERATOR,
)
ROLLOUT_WEIGHT = MetricName(
    name="slipway_rollout_weight_percent",
    kind="gauge",
    of=(*_OF_VERSION, Label(name="kind", values=("desired", "observed"))),
    unit="percent",
    help="The version's share of traffic, as written and as all live gateways apply it.",
    owner=Owner.OPERATOR,
)
ROLLOUT_STEP = MetricName(
    name="slipway_rollout_step",
    kind="gauge",
    of=_OF_VERSION,
    help="The step that runs, from 0; -1 is shadow.",
    owner=Owner.OPERATOR,
)
ROLLOUT_STEPS = MetricName(
    name="slipway_rollout_steps",
    kind="gauge",
    of=_OF_VERSION,
    help="Steps of the ladder.",
    owner=Owner.OPERATOR,
)
ROLLOUT_STEP_SECONDS = MetricName(
    name="slipway_rollout_step_seconds",
    kind="gauge",
    of=_OF_VERSION,
    unit="seconds",
    help="Seconds since the step began, time paused left out.",
    owner=Owner.OPERATOR,
)
ROLLOUT_SECONDS = MetricName(
    name="slipway_rollout_seconds",
    kind="gauge",
    of=_OF_VERSION,
    unit="seconds",
    help="Seconds since the rollout began, time paused left out.",
    owner=Owner.OPERATOR,
)
ROLLOUT_MAX_SECONDS = MetricName(
    name="slipway_rollout_max_seconds",
    kind="gauge",
    of=_OF_VERSION,
    unit="seconds",
    help="rollout.maxDuration of the version.",
    owner=Owner.OPERATOR,
)
ROLLOUT_PAUSED = MetricName(
    name="slipway_rollout_paused",
    kind="gauge",
    of=_OF_VERSION,
    help="1 while a person holds the rollout or it waits for approval.",
    owner=Owner.OPERATOR,
)
ERROR_BUDGET = MetricName(
    name="slipway_rollout_error_budget",
    kind="gauge",
    of=(*_OF_VERSION, Label(name="kind", values=("spent", "total"))),
    help="Ticks of the analysis that could not be read, and how many may be.",
    owner=Owner.OPERATOR,
)
ANALYSIS_RATE = MetricName(
    name="slipway_analysis_rate",
    kind="gauge",
    of=(*_OF_VERSION, _ANALYSIS, Label(name="side", values=("candidate", "stable"))),
    unit="ratio",
    help="Rate of bad events in the step's evidence at the latest look.",
    owner=Owner.OPERATOR,
)
ANALYSIS_BOUND = MetricName(
    name="slipway_analysis_bound",
    kind="gauge",
    of=(*_OF_VERSION, _ANALYSIS),
    unit="ratio",
    help="The rate that the candidate may not exceed, as the latest look had it.",
    owner=Owner.OPERATOR,
)
ANALYSIS_REQUESTS = MetricName(
    name="slipway_analysis_requests",
    kind="gauge",
    of=(*_OF_VERSION, _ANALYSIS, Label(name="side", values=("candidate", "stable"))),
    unit="requests",
    help="Requests that the latest look was made on.",
    owner=Owner.OPERATOR,
)
ANALYSIS_VERDICT = MetricName(
    name="slipway_analysis_verdict",
    kind="gauge",
    of=(
        *_OF_VERSION,
        _ANALYSIS,
        Label(name="verdict", values=("Pass", "Continue", "Fail", "NoData", "Error")),
    ),
    help="1 for the metric's verdict at the latest look.",
    owner=Owner.OPERATOR,
)
EVALUATION_SCORE = MetricName(
    name="slipway_evaluation_score",
    kind="gauge",
    of=(*_OF_VERSION, _GATE, Label(name="side", values=("candidate", "baseline"))),
    help="The figure of one gate of the version's evaluation, and its baseline's.",
    owner=Owner.OPERATOR,
)
TRAINING_STEP = MetricName(
    name="slipway_training_step",
    kind="gauge",
    of=_OF_VERSION,
    unit="steps",
    help="Optimizer steps done by the run that makes the version.",
    owner=Owner.OPERATOR,
)
TRAINING_STEPS = MetricName(
    name="slipway_training_steps",
    kind="gauge",
    of=_OF_VERSION,
    unit="steps",
    help="Optimizer steps of the run in all.",
    owner=Owner.OPERATOR,
)
TRAINING_LOSS = MetricName(
    name="slipway_training_loss",
    kind="gauge",
    of=(*_OF_VERSION, Label(name="split", values=("train", "eval"))),
    help="Latest loss of the run, nats a token (cross-entropy where it classifies).",
    owner=Owner.OPERATOR,
)
TRAINING_SPEED = MetricName(
    name="slipway_training_tokens_per_second",
    kind="gauge",
    of=_OF_VERSION,
    help="Latest throughput of the run.",
    owner=Owner.OPERATOR,
)
TRAINING_ETA = MetricName(
    name="slipway_training_eta_seconds",
    kind="gauge",
    of=_OF_VERSION,
    unit="seconds",
    help="Seconds to the run's end at this pace.",
    owner=Owner.OPERATOR,
)
TRAINING_PROGRESS_AGE = MetricName(
    name="slipway_training_progress_age_seconds",
    kind="gauge",
    of=_OF_VERSION,
    unit="seconds",
    help="Seconds since the run was last seen to take a step, or since it began.",
    owner=Owner.OPERATOR,
)
TRAINING_CHECKPOINT_AGE = MetricName(
    name="slipway_training_checkpoint_age_seconds",
    kind="gauge",
    of=_OF_VERSION,
    unit="seconds",
    help="Seconds since the run last sealed a checkpoint, or since it began.",
    owner=Owner.OPERATOR,
)
TRAINING_RESTARTS = MetricName(
    name="slipway_training_restarts",
    kind="gauge",
    of=_OF_VERSION,
    help="How often the run was started again.",
    owner=Owner.OPERATOR,
)

LIFECYCLE: tuple[MetricName, ...] = (
    MODEL_INFO,
    VERSION_PHASE,
    VERSION_STALLED,
    ROLLOUT_WEIGHT,
    ROLLOUT_STEP,
    ROLLOUT_STEPS,
    ROLLOUT_STEP_SECONDS,
    ROLLOUT_SECONDS,
    ROLLOUT_MAX_SECONDS,
    ROLLOUT_PAUSED,
    ERROR_BUDGET,
    ANALYSIS_RATE,
    ANALYSIS_BOUND,
    ANALYSIS_REQUESTS,
    ANALYSIS_VERDICT,
    EVALUATION_SCORE,
    TRAINING_STEP,
    TRAINING_STEPS,
    TRAINING_LOSS,
    TRAINING_SPEED,
    TRAINING_ETA,
    TRAINING_PROGRESS_AGE,
    TRAINING_CHECKPOINT_AGE,
    TRAINING_RESTARTS,
)
