"""A moment of metrics: samples by name, gauges as they are, counters as a rate a second.

Both sources make one, so that everything above them is written once. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from slipway_contracts.metrics.gateway import (
    CIRCUIT_OPEN,
    CONCURRENCY_LIMIT,
    FENCED,
    GATEWAY_CONNECTED,
    IN_FLIGHT,
    INFERENCE_LATENCY,
    INFERENCE_REQUESTS,
    KEYS_AGE,
    LOG_OLDEST,
    LOG_PENDING,
    QUEUE_REFUSED,
    QUEUE_WAITING,
    ROUTES_REVISION,
    TTFT,
)
from slipway_contracts.metrics.kinds import MetricName
from slipway_contracts.metrics.operator import LEADER, OPERATOR_CONNECTED, QUEUE_DEPTH
from slipway_contracts.metrics.worker import JOBS, JOBS_OLDEST, WORKER_CONNECTED

GAUGES: tuple[MetricName, ...] = (
    *(IN_FLIGHT, QUEUE_WAITING, CONCURRENCY_LIMIT, CIRCUIT_OPEN),
    *(LOG_PENDING, LOG_OLDEST, ROUTES_REVISION, FENCED, KEYS_AGE, GATEWAY_CONNECTED),
    *(QUEUE_DEPTH, LEADER, OPERATOR_CONNECTED),
    *(JOBS, JOBS_OLDEST, WORKER_CONNECTED),
)
COUNTERS: tuple[MetricName, ...] = (INFERENCE_REQUESTS, QUEUE_REFUSED)
HISTOGRAMS: tuple[MetricName, ...] = (INFERENCE_LATENCY, TTFT)
# vLLM's own, as Ray writes them; an engine that does not tell is shown without.
ENGINE_RUNNING = "ray_vllm_num_requests_running"
ENGINE_WAITING = "ray_vllm_num_requests_waiting"
ENGINE_CACHE = "ray_vllm_kv_cache_usage_perc"
ENGINES = (ENGINE_RUNNING, ENGINE_WAITING, ENGINE_CACHE)
# The label that says which process a sample is of; Prometheus' is taken where there is none.
PROCESS = "process"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value of one process."""

    labels: Mapping[str, str]
    value: float

    @property
    def process(self) -> str:
        """A pod, a local process, or whatever Prometheus calls it."""
        labels = self.labels
        return labels.get(PROCESS) or labels.get("pod") or labels.get("instance") or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert of Prometheus. ``about``: the labels that a person looks for."""

    name: str
    state: str
    severity: str
    about: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """``silent``: processes that did not answer. ``source``: where it is from, in words;
    ``seconds``: over how long the rates are, 0 where there are none yet. ``alerts``: None where
    nobody watches.
    """

    samples: Mapping[str, Sequence[Sample]] = field(default_factory=dict)
    source: str
    seconds: float = 0.0
    silent: tuple[str, ...] = ()
    alerts: tuple[Alert, ...] | None = None

    def of(self, metric: MetricName | str) -> Sequence[Sample]:
        """Samples of a gauge, or a counter's rates."""
        return self.samples.get(metric if isinstance(metric, str) else metric.name, ())

    def total(self, metric: MetricName | str, **labels: str) -> float | None:
        """The sum over all that carry these labels; None where nobody emits it."""
        return added(s for s in self.of(metric) if _carries(s, labels))

    def quantile(self, metric: MetricName, share: float, **labels: str) -> float | None:
        """Of a histogram's rates, as Prometheus interpolates it; None without an observation."""
        buckets: dict[float, float] = {}
        for sample in self.of(f"{metric.name}_bucket"):
            if _carries(sample, labels):
                bound = float(sample.labels["le"])
                buckets[bound] = buckets.get(bound, 0.0) + sample.value
        return quantile(share, buckets)


def added(samples: Iterable[Sample]) -> float | None:
    """Their sum; None of none."""
    values = [sample.value for sample in samples]
    return sum(values) if values else None


def quantile(share: float, buckets: Mapping[float, float]) -> float | None:
    """Cumulative counts by upper bound → the value below which ``share`` lies, linear within its
    bucket; in the last one its lower bound, since it has no upper.
    """
    bounds = sorted(buckets)
    if not bounds or buckets[bounds[-1]] <= 0:
        return None
    rank, lower, below = share * buckets[bounds[-1]], 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= rank:
            if bound == float("inf"):
                return lower
            inside = buckets[bound] - below
            return lower + (bound - lower) * ((rank - below) / inside if inside > 0 else 1.0)
        lower, below = bound, buckets[bound]
    return lower


def _carries(sample: Sample, labels: Mapping[str, str]) -> bool:
    return all(sample.labels.get(name) == value for name, value in labels.items())


def series_names() -> Iterator[str]:
    """Every series that is read, as exposed."""
    yield from (metric.name for metric in (*GAUGES, *COUNTERS))
    yield from (f"{metric.name}_bucket" for metric in HISTOGRAMS)
    yield from ENGINES
