"""Alerts about gateways: away, cut off from PostgreSQL, behind, or with nowhere to send a call."""

from __future__ import annotations

from slipway_rules.kinds import Alert, Group, Severity
from slipway_rules.shapes import all_gone, grew

DOWN = Alert(
    name="GatewayDown",
    expr=all_gone("slipway-gateway"),
    hold="1m",
    severity=Severity.PAGE,
    summary="No gateway answers",
    description=(
        "Every call fails. Locally: `slipway doctor`. In a cluster: "
        "`kubectl get pods -l app.kubernetes.io/component=gateway`, then the logs of one that "
        "does not start."
    ),
    meaning="No gateway can be scraped: callers get nothing.",
)
POSTGRES = Alert(
    name="PostgresDown",
    expr="""max by (namespace) (slipway_gateway_connected) == 0
or
max by (namespace) (pg_up) == 0""",
    hold="1m",
    severity=Severity.PAGE,
    summary="PostgreSQL answers no gateway",
    description=(
        "Calls are still answered: routes from memory, known keys for an hour, rows kept on disk. "
        "Candidates get nothing and rollouts stand still. Bring it back within the hour: "
        "`slipway doctor`, or the database's own pods and logs."
    ),
    meaning="Nobody reaches the database.",
)
LOST = Alert(
    name="DatabaseConnectionLost",
    expr="""slipway_gateway_connected == 0
or
slipway_operator_connected == 0
or
slipway_worker_connected == 0""",
    hold="2m",
    severity=Severity.TICKET,
    summary="{{ $labels.job }} {{ $labels.instance }} does not reach PostgreSQL",
    description=(
        "If all are so, PostgresDown says it. If one is, look at its network, its DSN and the "
        "database's connection limit; its log says what it was refused."
    ),
    meaning="One process has lost the database.",
)
FENCED = Alert(
    name="GatewayFenced",
    expr="max by (namespace, instance) (slipway_candidates_fenced) == 1",
    hold="1m",
    severity=Severity.TICKET,
    summary="The gateway {{ $labels.instance }} sends nothing to candidates",
    description=(
        "It has not heard PostgreSQL for ten seconds, and a rollout may not run unobserved. Calls "
        "go to the stable version. See whether PostgreSQL is slow or away."
    ),
    meaning="A gateway keeps traffic from candidates because it cannot hear the database.",
)
KEYS = Alert(
    name="KeyStoreStale",
    expr="max by (namespace, instance) (slipway_keys_age_seconds) > 300",
    hold="1m",
    severity=Severity.TICKET,
    summary="The gateway {{ $labels.instance }} does not know the keys of now",
    description=(
        "Its keys are {{ $value | humanizeDuration }} old: new keys are refused, revoked ones "
        "work. After KEYS_TTL (an hour) it accepts none. See whether it reaches PostgreSQL."
    ),
    meaning="A gateway's copy of the keys is older than five minutes.",
)
LAG = Alert(
    name="LogShipperLag",
    expr="max by (namespace, instance) (slipway_log_oldest_seconds) > 60",
    hold="1m",
    severity=Severity.TICKET,
    summary="The gateway {{ $labels.instance }} ships its log too late",
    description=(
        "Its oldest row waits for {{ $value | humanizeDuration }}: rollouts are judged on what has "
        "been shipped. See whether PostgreSQL is slow or the disk full; "
        "`slipway_log_pending_rows` says how much waits."
    ),
    meaning="Attempt rows wait for more than a minute before they are in PostgreSQL.",
)
ROWS_LOST = Alert(
    name="LogRowsLost",
    expr=grew("slipway_log_lost_rows_total", "15m", by="namespace, why"),
    hold="0s",
    severity=Severity.TICKET,
    summary="Attempt rows were lost ({{ $labels.why }})",
    description=(
        "They will never be in PostgreSQL: usage and evidence miss them. disk: the gateway's disk "
        "is full; bound: PostgreSQL was away longer than SEGMENTS_LIMIT holds."
    ),
    meaning="Rows of the attempts log are gone for good.",
)
REVISIONS = Alert(
    name="GatewayRevisionsDiffer",
    expr="""slipway_routes_revision
  < on (namespace) group_left ()
max by (namespace) (slipway_routes_revision offset 1m)""",
    hold="1m",
    severity=Severity.TICKET,
    summary="The gateway {{ $labels.instance }} applies old routes",
    description=(
        "Others were ahead of it a minute ago: it splits traffic by weights of the past, and "
        "rollouts wait for it. See whether it reaches PostgreSQL; else restart it."
    ),
    meaning="Gateways apply different revisions of the routes.",
)
CIRCUIT = Alert(
    name="CircuitOpen",
    expr="max by (namespace, model, version) (max_over_time(slipway_circuit_open[1m])) == 1",
    hold="30s",
    severity=Severity.TICKET,
    summary="{{ $labels.version }} of {{ $labels.model }} is left alone: it fails again and again",
    description=(
        "Calls get 503 until a probe succeeds. See its backend: "
        "`slipway describe {{ $labels.version }}` and its pods; if another version can serve, "
        "`slipway undo {{ $labels.model }}`."
    ),
    meaning="A version's backend fails so often that gateways do not ask it.",
)
OVERLOADED = Alert(
    name="ModelOverloaded",
    expr="""sum by (namespace, model) (rate(slipway_queue_refused_total{why!="circuit"}[5m]))
/ on (namespace, model)
(slipway:slo_events:rate5m{slo="availability"} > 0.1)
> 0.05""",
    hold="2m",
    severity=Severity.TICKET,
    summary="{{ $labels.model }} turns calls away for want of capacity",
    description=(
        "{{ $value | humanizePercentage }} of calls are answered 503. Add replicas "
        "(serving.replicas), or give the loudest tenant a limit: "
        "`slipway usage --by tenant --model {{ $labels.model }}`."
    ),
    meaning="More than 5 % of a Model's calls are turned away because its queue is full.",
)


def groups() -> tuple[Group, ...]:
    """What the file ``gateway.yaml`` holds."""
    found = (DOWN, POSTGRES, LOST, FENCED, KEYS, LAG, ROWS_LOST, REVISIONS, CIRCUIT, OVERLOADED)
    return (Group(name="slipway-gateway", rules=found),)
