"""The process's metrics, from the catalogue in the contracts.

One registry a process, no globals. What every request counts is kept in plain numbers and turned
into families when somebody scrapes: a label look-up and a lock for each increment cost more than
the rest of the log. ``/metrics`` renders it as Prometheus text, or as JSON for people and scripts
that ask for it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from slipway_contracts.attempt import Attempt
from slipway_contracts.metrics import gateway as names
from slipway_contracts.metrics.kinds import MetricName


class _Histogram:
    """Counts by bucket; ``bounds`` are upper bounds in seconds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative, as Prometheus has them."""
        reached = 0
        out: list[tuple[str, float]] = []
        for bound, count in zip([*map(_bound, self.bounds), "+Inf"], self.counts, strict=True):
            reached += count
            out.append((bound, reached))
        return out


class _Version:
    """What is counted of one version."""

    __slots__ = ("completion", "in_flight", "latency", "outcomes", "prompt", "ttft")

    def __init__(self) -> None:
        self.in_flight = 0
        self.prompt = self.completion = 0
        self.latency = _Histogram(names.INFERENCE_LATENCY.buckets)
        self.ttft = _Histogram(names.TTFT.buckets)
        self.outcomes = {"ok": 0, "error": 0, "refused": 0, "cancelled": 0}


class _Versions(dict[tuple[str, str], _Version]):
    """By (model, version), made when first asked for."""

    def __missing__(self, key: tuple[str, str]) -> _Version:
        version = self[key] = _Version()
        return version


class InFlight:
    """How many attempts have not ended, by version."""

    def __init__(self, versions: _Versions) -> None:
        self._versions = versions

    def enter(self, model: str, version: str) -> None:
        """An attempt begins."""
        self._versions[model, version].in_flight += 1

    def leave(self, model: str, version: str) -> None:
        """It ended."""
        self._versions[model, version].in_flight -= 1

    def by_version(self) -> dict[str, int]:
        """For the heartbeat: versions with at least one."""
        out: dict[str, int] = {}
        for (_, version), of in self._versions.items():
            if of.in_flight:
                out[version] = out.get(version, 0) + of.in_flight
        return out


class Metrics(Collector):
    """Everything that this process counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._versions = _Versions()
        self._answers: dict[tuple[str, str, int], int] = {}
        self.in_flight = InFlight(self._versions)
        self.registry.register(self)
        self.log_pending = _gauge(names.LOG_PENDING, self.registry)
        self.log_lost = {"disk": 0, "bound": 0}
        self.log_dropped_texts = {"bound": 0, "redaction": 0}
        self.routes_revision = _gauge(names.ROUTES_REVISION, self.registry)
        self.fenced = _gauge(names.FENCED, self.registry)

    def answered(self, method: str, route: str, status: int) -> None:
        """One HTTP answer; ``route`` is the dispatched template, never a raw path."""
        key = (method, route, status)
        self._answers[key] = self._answers.get(key, 0) + 1

    def observe(self, attempt: Attempt) -> None:
        """One ended attempt. Copies are no traffic."""
        if attempt.shadow:
            return
        of = self._versions[attempt.model_name, attempt.version]
        of.outcomes[_outcome(attempt)] += 1
        of.latency.observe(attempt.processing_time_ms / 1000)
        if attempt.ttft_ms is not None:
            of.ttft.observe(attempt.ttft_ms / 1000)
        of.prompt += attempt.prompt_tokens or 0
        of.completion += attempt.completion_tokens or 0

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

    def collect(self) -> Iterator[Any]:
        """For prometheus_client, at a scrape."""
        versions = list(self._versions.items())
        answers = ((m, route, str(s)) for m, route, s in self._answers)
        yield _counter(names.HTTP_REQUESTS, zip(answers, self._answers.values(), strict=True))
        yield _counter(
            names.INFERENCE_REQUESTS,
            (((*key, o), n) for key, of in versions for o, n in of.outcomes.items()),
        )
        yield _histogram(names.INFERENCE_LATENCY, ((key, of.latency) for key, of in versions))
        yield _histogram(names.TTFT, ((key, of.ttft) for key, of in versions))
        yield _counter(names.TOKENS, (pair for key, of in versions for pair in _tokens(key, of)))
        yield _counter(names.LOG_LOST, (((why,), n) for why, n in self.log_lost.items()))
        dropped = self.log_dropped_texts.items()
        yield _counter(names.LOG_DROPPED_TEXTS, (((why,), n) for why, n in dropped))
        in_flight = GaugeMetricFamily(
            names.IN_FLIGHT.name, names.IN_FLIGHT.help, labels=names.IN_FLIGHT.labels
        )
        for key, of in versions:
            in_flight.add_metric(key, of.in_flight)
        yield in_flight


def _tokens(key: tuple[str, str], of: _Version) -> Iterable[tuple[tuple[str, ...], float]]:
    return ((*key, "prompt"), of.prompt), ((*key, "completion"), of.completion)


def _outcome(attempt: Attempt) -> str:
    if attempt.error:
        return "error"
    if attempt.refused:
        return "refused"
    return "cancelled" if attempt.client_gone else "ok"


def _counter(
    name: MetricName, samples: Iterable[tuple[tuple[str, ...], float]]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name.name, name.help, labels=name.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _histogram(
    name: MetricName, samples: Iterable[tuple[tuple[str, ...], _Histogram]]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name.name, name.help, labels=name.labels)
    for labels, histogram in samples:
        family.add_metric(labels, histogram.buckets(), histogram.total)
    return family


def _bound(seconds: float) -> str:
    return str(float(seconds))


def _gauge(name: MetricName, registry: CollectorRegistry) -> Gauge:
    return Gauge(name.name, name.help, name.labels, registry=registry)
