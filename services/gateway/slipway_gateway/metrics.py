"""The process's metrics, from the catalogue in the contracts.

One registry a process, no globals. ``/metrics`` renders it as Prometheus text, or as JSON for
people and scripts that ask for it.
"""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from slipway_contracts import metrics as names
from slipway_contracts.attempt import Attempt

LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
TTFT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class _Of:
    """The metrics of one version, looked up once."""

    def __init__(self, metrics: Metrics, model: str, version: str) -> None:
        self.latency = metrics.latency.labels(model, version)
        self.ttft = metrics.ttft.labels(model, version)
        self.prompt = metrics.tokens.labels(model, version, "prompt")
        self.completion = metrics.tokens.labels(model, version, "completion")
        self.outcomes = {
            outcome: metrics.inference.labels(model, version, outcome)
            for outcome in ("ok", "error", "refused", "cancelled")
        }


class Metrics:
    """Everything that this process counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.http = _counter(names.HTTP_REQUESTS, self.registry)
        self.inference = _counter(names.INFERENCE_REQUESTS, self.registry)
        self.latency = _histogram(names.INFERENCE_LATENCY, LATENCY_BUCKETS, self.registry)
        self.ttft = _histogram(names.TTFT, TTFT_BUCKETS, self.registry)
        self.tokens = _counter(names.TOKENS, self.registry)
        self.log_pending = _gauge(names.LOG_PENDING, self.registry)
        self.routes_revision = _gauge(names.ROUTES_REVISION, self.registry)
        self.fenced = _gauge(names.FENCED, self.registry)
        self._answers: dict[tuple[str, str, int], Any] = {}
        self._versions: dict[tuple[str, str], _Of] = {}

    def answered(self, method: str, route: str, status: int) -> None:
        """One HTTP answer; ``route`` is the dispatched template, never a raw path."""
        key = (method, route, status)
        child = self._answers.get(key)
        if child is None:
            child = self._answers[key] = self.http.labels(method, route, str(status))
        child.inc()

    def observe(self, attempt: Attempt) -> None:
        """One ended attempt. Copies are no traffic."""
        if attempt.shadow:
            return
        key = (attempt.model_name, attempt.version)
        of = self._versions.get(key)
        if of is None:
            of = self._versions[key] = _Of(self, *key)
        of.outcomes[_outcome(attempt)].inc()
        of.latency.observe(attempt.processing_time_ms / 1000)
        if attempt.ttft_ms is not None:
            of.ttft.observe(attempt.ttft_ms / 1000)
        if attempt.prompt_tokens:
            of.prompt.inc(attempt.prompt_tokens)
        if attempt.completion_tokens:
            of.completion.inc(attempt.completion_tokens)

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)

    def summary(self) -> dict[str, Any]:
        """``{metric: [{labels, value}]}``; a histogram gives its count and sum."""
        out: dict[str, Any] = {}
        for family in self.registry.collect():
            for sample in family.samples:
                if sample.name.endswith(("_bucket", "_created")):
                    continue
                entry = {"labels": sample.labels, "value": sample.value}
                out.setdefault(sample.name, []).append(entry)
        return out


class InFlight(Collector):
    """How many attempts have not ended, by version; rendered as a gauge, kept as a plain dict."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        registry.register(self)

    def enter(self, model: str, version: str) -> None:
        """An attempt begins."""
        key = (model, version)
        self._counts[key] = self._counts.get(key, 0) + 1

    def leave(self, model: str, version: str) -> None:
        """It ended."""
        self._counts[(model, version)] -= 1

    def by_version(self) -> dict[str, int]:
        """For the heartbeat: versions with at least one."""
        out: dict[str, int] = {}
        for (_, version), count in self._counts.items():
            if count:
                out[version] = out.get(version, 0) + count
        return out

    def collect(self) -> Any:
        """For prometheus_client."""
        metric = names.IN_FLIGHT
        family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
        for (model, version), count in self._counts.items():
            family.add_metric((model, version), count)
        return [family]


def _outcome(attempt: Attempt) -> str:
    if attempt.error:
        return "error"
    if attempt.refused:
        return "refused"
    return "cancelled" if attempt.client_gone else "ok"


def _counter(name: names.MetricName, registry: CollectorRegistry) -> Counter:
    return Counter(name.name, name.help, name.labels, registry=registry)


def _gauge(name: names.MetricName, registry: CollectorRegistry) -> Gauge:
    return Gauge(name.name, name.help, name.labels, registry=registry)


def _histogram(
    name: names.MetricName, buckets: tuple[float, ...], registry: CollectorRegistry
) -> Histogram:
    return Histogram(name.name, name.help, name.labels, buckets=buckets, registry=registry)
