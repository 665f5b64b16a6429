"""What the operator emits of its own work: passes, watches, and how many objects stand where."""

from __future__ import annotations

from slipway_contracts.conditions import Phase, Reason
from slipway_contracts.metrics.kinds import Label, MetricName, Owner

_PHASE = Label(name="phase", values=tuple(phase.value for phase in Phase))

RECONCILE = MetricName(
    name="slipway_operator_reconcile_seconds",
    kind="histogram",
    unit="seconds",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    help="Seconds of one pass over one Model.",
    owner=Owner.OPERATOR,
)
RECONCILE_ERRORS = MetricName(
    name="slipway_operator_reconcile_errors_total",
    kind="counter",
    of=(Label(name="kind", values=("transient", "conflict", "terminal", "unexpected")),),
    help="Passes that failed, by kind of error.",
    owner=Owner.OPERATOR,
)
QUEUE_DEPTH = MetricName(
    name="slipway_operator_queue_depth",
    kind="gauge",
    unit="models",
    help="Models that are due and wait for a worker.",
    owner=Owner.OPERATOR,
)
VERSIONS = MetricName(
    name="slipway_operator_model_versions",
    kind="gauge",
    of=(_PHASE,),
    unit="versions",
    help="ModelVersions, by phase.",
    owner=Owner.OPERATOR,
)
MODELS = MetricName(
    name="slipway_operator_models",
    kind="gauge",
    of=(Label(name="ready", values=("True", "False", "Unknown")),),
    unit="models",
    help="Models, by status of their Ready condition.",
    owner=Owner.OPERATOR,
)
ROLLOUT_OUTCOMES = MetricName(
    name="slipway_operator_rollout_outcomes_total",
    kind="counter",
    of=(_PHASE, Label(name="reason", values=tuple(reason.value for reason in Reason))),
    help="Attempts that ended, by the phase they ended in and why.",
    owner=Owner.OPERATOR,
)
WATCH_RESTARTS = MetricName(
    name="slipway_operator_watch_restarts_total",
    kind="counter",
    of=(Label(name="why", values=("silent", "ended")),),
    help="Times that the watches were opened anew.",
    owner=Owner.OPERATOR,
)
LEADER = MetricName(
    name="slipway_operator_leader",
    kind="gauge",
    help="1 in the replica that reconciles.",
    owner=Owner.OPERATOR,
)
OPERATOR_CONNECTED = MetricName(
    name="slipway_operator_connected",
    kind="gauge",
    help="1 while PostgreSQL answers this operator.",
    owner=Owner.OPERATOR,
)

OPERATOR: tuple[MetricName, ...] = (
    RECONCILE,
    RECONCILE_ERRORS,
    QUEUE_DEPTH,
    VERSIONS,
    MODELS,
    ROLLOUT_OUTCOMES,
    WATCH_RESTARTS,
    LEADER,
    OPERATOR_CONNECTED,
)
