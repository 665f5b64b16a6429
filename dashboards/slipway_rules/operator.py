"""Alerts about the operator: away, without a leader, failing, deaf, behind."""

from __future__ import annotations

from slipway_rules.kinds import Alert, Group, Severity
from slipway_rules.shapes import all_gone

DOWN = Alert(
    name="OperatorDown",
    expr=all_gone("slipway-operator"),
    hold="2m",
    severity=Severity.PAGE,
    summary="No operator answers",
    description=(
        "Traffic flows as it is split now, and a canary that goes bad is not taken back. Locally: "
        "`slipway doctor`. In a cluster: "
        "`kubectl get pods -l app.kubernetes.io/component=operator`."
    ),
    meaning="No operator can be scraped: nobody judges canaries.",
)
NO_LEADER = Alert(
    name="OperatorNoLeader",
    expr="max by (namespace) (slipway_operator_leader) == 0",
    hold="2m",
    severity=Severity.PAGE,
    summary="No operator leads",
    description=(
        "Operators run and none holds the Lease, so nothing is reconciled. See who holds it: "
        "`kubectl get leases`, and whether the API server answers them."
    ),
    meaning="Operators run, but none reconciles.",
)
ERRORS = Alert(
    name="OperatorReconcileErrors",
    expr="""sum by (namespace, kind) (
  increase(slipway_operator_reconcile_errors_total{kind=~"unexpected|terminal"}[10m])
) >= 3
or
sum by (namespace, kind) (
  increase(slipway_operator_reconcile_errors_total{kind=~"transient|conflict"}[10m])
) >= 60""",
    hold="1m",
    severity=Severity.TICKET,
    summary="The operator's passes fail ({{ $labels.kind }})",
    description=(
        "{{ $value | humanize }} failed within ten minutes. Its log names the Model and the cause: "
        "`slipway logs --process controller --tail 100`, or "
        "`kubectl logs -l app.kubernetes.io/component=operator`."
    ),
    meaning="Passes of the operator fail again and again.",
)
SILENT = Alert(
    name="OperatorWatchSilent",
    expr="""sum by (namespace) (
  increase(slipway_operator_watch_restarts_total{why="silent"}[30m])
) >= 3""",
    hold="0s",
    severity=Severity.TICKET,
    summary="The operator's watches fall silent",
    description=(
        "They were opened anew {{ $value | humanize }} times within half an hour because nothing "
        "came. Changes arrive late (by the resync). See the API server and what is between: "
        "proxies that drop idle connections."
    ),
    meaning="Watches on the API server stop telling, and are opened anew.",
)
BACKLOG = Alert(
    name="OperatorBacklog",
    expr="max by (namespace) (slipway_operator_queue_depth) > 50",
    hold="10m",
    severity=Severity.TICKET,
    summary="{{ $value }} Models wait for the operator",
    description=(
        "It does not keep up: passes are slow or there are too few workers. See the dashboard "
        "Operator for how long a pass takes; a slow API server or PostgreSQL is the usual cause."
    ),
    meaning="More than 50 Models have waited for a pass for ten minutes.",
)


def groups() -> tuple[Group, ...]:
    """What the file ``operator.yaml`` holds."""
    return (Group(name="slipway-operator", rules=(DOWN, NO_LEADER, ERRORS, SILENT, BACKLOG)),)
