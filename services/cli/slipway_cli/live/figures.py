"""A window → figures of each version and each process. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from slipway_cli.live.window import (
    ENGINE_CACHE,
    ENGINE_RUNNING,
    ENGINE_WAITING,
    Sample,
    Window,
)
from slipway_contracts.metrics import gateway, operator, worker
from slipway_contracts.metrics.kinds import MetricName

P95 = 0.95
_ERRORS = ("error", "refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFigures:
    """Of one version over all gateways. None: nobody says. Times are seconds, rates a second."""

    requests: float | None = None
    errors: float | None = None
    p95: float | None = None
    ttft_p95: float | None = None
    in_flight: float | None = None
    queued: float | None = None
    limit: float | None = None
    refused: float | None = None
    circuit_open: bool = False
    engine_running: float | None = None
    engine_waiting: float | None = None
    engine_cache: float | None = None

    @property
    def error_share(self) -> float | None:
        """Bad of all attempts; None without any."""
        return (self.errors or 0.0) / self.requests if self.requests else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFigures:
    """One process of ours. ``says``: what a person should know of it."""

    name: str
    role: str
    healthy: bool
    says: str
    log_pending: float | None = None
    log_oldest: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """The worker's queue: every worker tells all of it, so the highest counts."""

    kind: str
    waiting: float
    running: float
    dead: float
    oldest: float | None


def of_version(window: Window, model: str, version: str) -> VersionFigures:
    """Everything that is said of one version."""
    labels = {"model": model, "version": version}
    outcomes = [window.total(gateway.INFERENCE_REQUESTS, **labels, outcome=o) for o in _ERRORS]
    known = [value for value in outcomes if value is not None]
    return VersionFigures(
        requests=window.total(gateway.INFERENCE_REQUESTS, **labels),
        errors=sum(known) if known else None,
        p95=_finite(window.quantile(gateway.INFERENCE_LATENCY, P95, **labels)),
        ttft_p95=_finite(window.quantile(gateway.TTFT, P95, **labels)),
        in_flight=window.total(gateway.IN_FLIGHT, **labels),
        queued=window.total(gateway.QUEUE_WAITING, **labels),
        limit=window.total(gateway.CONCURRENCY_LIMIT, **labels),
        refused=window.total(gateway.QUEUE_REFUSED, **labels),
        circuit_open=bool(window.total(gateway.CIRCUIT_OPEN, **labels)),
        engine_running=window.total(ENGINE_RUNNING, **labels),
        engine_waiting=window.total(ENGINE_WAITING, **labels),
        engine_cache=_highest(window, ENGINE_CACHE, **labels),
    )


def processes(window: Window) -> list[ProcessFigures]:
    """Gateways, operators and workers by name, then those that do not answer."""
    found = [
        *(_gateway(window, sample) for sample in window.of(gateway.GATEWAY_CONNECTED)),
        *(_operator(window, sample) for sample in window.of(operator.OPERATOR_CONNECTED)),
        *(_worker(sample) for sample in window.of(worker.WORKER_CONNECTED)),
    ]
    found += [
        ProcessFigures(name=name, role="", healthy=False, says="does not answer")
        for name in window.silent
    ]
    return sorted(found, key=lambda process: process.name)


def queues(window: Window) -> list[QueueFigures]:
    """By kind of job."""
    kinds = sorted({sample.labels.get("kind", "") for sample in window.of(worker.JOBS)})

    def jobs(kind: str, *states: str) -> float:
        found = (_highest(window, worker.JOBS, kind=kind, state=state) for state in states)
        return sum(value or 0.0 for value in found)

    return [
        QueueFigures(
            kind=kind,
            waiting=jobs(kind, "waiting", "delayed"),
            running=jobs(kind, "running"),
            dead=jobs(kind, "dead"),
            oldest=_highest(window, worker.JOBS_OLDEST, kind=kind),
        )
        for kind in kinds
    ]


def _gateway(window: Window, connected: Sample) -> ProcessFigures:
    name = connected.process
    oldest = _of_process(window, gateway.LOG_OLDEST, name)
    pending = _of_process(window, gateway.LOG_PENDING, name)
    revision = _of_process(window, gateway.ROUTES_REVISION, name)
    wrong = []
    if not connected.value:
        wrong.append("PostgreSQL does not answer it")
    if _of_process(window, gateway.FENCED, name):
        wrong.append("candidates are fenced")
    said = ", ".join(wrong) or "connected"
    return ProcessFigures(
        name=name,
        role="gateway",
        healthy=not wrong,
        says=f"{said}, routes {revision:.0f}" if revision is not None else said,
        log_pending=pending,
        log_oldest=oldest,
    )


def _operator(window: Window, connected: Sample) -> ProcessFigures:
    name = connected.process
    leads = _of_process(window, operator.LEADER, name)
    depth = _of_process(window, operator.QUEUE_DEPTH, name) or 0.0
    said = "connected" if connected.value else "PostgreSQL does not answer it"
    role = {None: "", 0.0: ", stands by"}.get(leads, ", leads")
    return ProcessFigures(
        name=name,
        role="operator",
        healthy=bool(connected.value),
        says=f"{said}{role}, {depth:.0f} models due",
    )


def _worker(connected: Sample) -> ProcessFigures:
    said = "connected" if connected.value else "PostgreSQL does not answer it"
    return ProcessFigures(
        name=connected.process, role="worker", healthy=bool(connected.value), says=said
    )


def _of_process(window: Window, metric: MetricName, process: str) -> float | None:
    return next((s.value for s in window.of(metric) if s.process == process), None)


def _highest(window: Window, metric: MetricName | str, **labels: str) -> float | None:
    found: Iterable[Sample] = window.of(metric)
    values = [s.value for s in found if all(s.labels.get(name) == v for name, v in labels.items())]
    return max(values, default=None)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
