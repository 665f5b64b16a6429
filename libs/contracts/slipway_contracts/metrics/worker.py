"""What a worker emits. Every worker tells the whole queue: take the highest, never the sum."""

from __future__ import annotations

from slipway_contracts.metrics.kinds import Label, MetricName, Owner

_KIND = Label(name="kind", bound=20)

JOBS = MetricName(
    name="slipway_jobs",
    kind="gauge",
    of=(_KIND, Label(name="state", values=("waiting", "delayed", "running", "dead"))),
    unit="jobs",
    help="Jobs in the queue (waiting, delayed, running) and dead ones; every worker tells all.",
    owner=Owner.WORKER,
)
JOBS_OLDEST = MetricName(
    name="slipway_jobs_oldest_seconds",
    kind="gauge",
    of=(_KIND,),
    unit="seconds",
    help="Age of the oldest job that may run and does not.",
    owner=Owner.WORKER,
)
JOB_RUNS = MetricName(
    name="slipway_worker_runs_total",
    kind="counter",
    of=(_KIND, Label(name="outcome", values=("done", "later", "failed", "dead"))),
    help="Runs of jobs in this worker, by outcome.",
    owner=Owner.WORKER,
)
BATCH_JOBS = MetricName(
    name="batch_jobs_total",
    kind="counter",
    of=(Label(name="status", values=("completed", "failed", "cancelled", "expired")),),
    help="Batches that ended in this worker, by the status they ended in.",
    owner=Owner.WORKER,
)
JOB_SECONDS = MetricName(
    name="slipway_worker_run_seconds",
    kind="histogram",
    of=(_KIND,),
    unit="seconds",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900),
    help="Seconds that a run took in this worker.",
    owner=Owner.WORKER,
)
WORKER_CONNECTED = MetricName(
    name="slipway_worker_connected",
    kind="gauge",
    help="1 while PostgreSQL answers this worker.",
    owner=Owner.WORKER,
)

WORKER: tuple[MetricName, ...] = (
    JOBS,
    JOBS_OLDEST,
    JOB_RUNS,
    BATCH_JOBS,
    JOB_SECONDS,
    WORKER_CONNECTED,
)
