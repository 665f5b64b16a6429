"""Alerts about the queue: jobs that wait, jobs that were given up, nobody who does any."""

from __future__ import annotations

from slipway_rules.kinds import Alert, Group, Severity
from slipway_rules.shapes import all_gone

DOWN = Alert(
    name="WorkerDown",
    expr=all_gone("slipway-worker"),
    hold="2m",
    severity=Severity.TICKET,
    summary="No worker answers",
    description=(
        "Questions and batches wait; nothing is lost. Locally: `slipway doctor`. In a cluster: "
        "`kubectl get pods -l app.kubernetes.io/component=worker`."
    ),
    meaning="No worker can be scraped: the queue stands still.",
)
WAIT = Alert(
    name="JobsWaitLong",
    expr="""slipway:jobs_oldest_seconds:max{kind!~"batch.*"} > 300
or
slipway:jobs_oldest_seconds:max{kind=~"batch.*"} > 21600""",
    hold="2m",
    severity=Severity.TICKET,
    summary="Jobs of kind {{ $labels.kind }} wait too long",
    description=(
        "The oldest has waited for {{ $value | humanizeDuration }}. Add workers, see whether the "
        "gateway refuses them, or whether one tenant fills the queue: `slipway jobs list`."
    ),
    meaning="The oldest job has waited for five minutes (a batch's line: for six hours).",
)
DEAD = Alert(
    name="DeadJobs",
    expr='slipway:jobs:max{state="dead"} > 0',
    hold="1m",
    severity=Severity.TICKET,
    summary="{{ $value }} jobs of kind {{ $labels.kind }} were given up",
    description=(
        "They stay until somebody decides. `slipway jobs list` gives the reasons; "
        "`slipway jobs retry --all` queues them again once the cause is gone."
    ),
    meaning="Jobs failed so often that the worker gave them up.",
)


def groups() -> tuple[Group, ...]:
    """What the file ``worker.yaml`` holds."""
    return (Group(name="slipway-worker", rules=(DOWN, WAIT, DEAD)),)
