"""Where a panel's data comes from, and what each kind of run makes.

A panel that stays empty must say why. So each names its feed, and a check of a real Prometheus
asks only for what that run can have made. Knows no query.
"""

from __future__ import annotations

from enum import StrEnum


class Feed(StrEnum):
    """What has to run, or to happen, before there is data."""

    TRAFFIC = "traffic"
    STREAMS = "streams"
    ROLLOUT = "rollout"
    JUDGED = "judged"
    OPERATOR = "operator"
    EVALUATION = "evaluation"
    TRAINING = "training"
    WORKER = "worker"
    BATCHES = "batches"
    CACHE = "cache"
    ALERTS = "alerts"
    TROUBLE = "trouble"
    IMAGES = "images"
    ENGINE = "engine"
    GPU = "gpu"
    NODE = "node"
    POSTGRES = "postgres"
    QDRANT = "qdrant"
    KUBERNETES = "kubernetes"
    CERTIFICATES = "certificates"


MISSING: dict[Feed, str] = {
    Feed.TRAFFIC: "Empty until requests are answered.",
    Feed.STREAMS: "Empty until answers are streamed.",
    Feed.ROLLOUT: "Empty until a version is rolled out.",
    Feed.JUDGED: "Empty where the analysis has no such metric, or none of its requests.",
    Feed.OPERATOR: "Empty while no operator is scraped.",
    Feed.EVALUATION: "Empty until a version with gates is evaluated.",
    Feed.TRAINING: "Empty while nothing is trained.",
    Feed.WORKER: "Empty until the worker has had a job.",
    Feed.BATCHES: "Empty until a batch has ended.",
    Feed.CACHE: "Empty while the answer cache is off.",
    Feed.ALERTS: "Empty while Slipway's rules are not loaded.",
    Feed.TROUBLE: "Empty is good: it has not happened.",
    Feed.IMAGES: "Empty while no image model is evaluated or serves.",
    Feed.ENGINE: "Needs the engines' targets (monitoring.engines) and an engine that has answered.",
    Feed.GPU: "Needs GPUs and NVIDIA's DCGM exporter.",
    Feed.NODE: "Needs the node exporter; kube-prometheus-stack brings it.",
    Feed.POSTGRES: "Needs the PostgreSQL exporter (monitoring.exporters.postgres).",
    Feed.QDRANT: "Needs Qdrant's own metrics (monitoring.exporters.qdrant).",
    Feed.KUBERNETES: "Needs kube-state-metrics and the kubelet's metrics: a cluster.",
    Feed.CERTIFICATES: "Needs cert-manager's or the blackbox exporter's metrics.",
}
"""What a panel's description says for its feed."""

_STORY = frozenset(
    {
        Feed.TRAFFIC,
        Feed.STREAMS,
        Feed.OPERATOR,
        Feed.ROLLOUT,
        Feed.EVALUATION,
        Feed.TRAINING,
        Feed.ALERTS,
    }
)
RUNS: dict[str, frozenset[Feed]] = {
    "hermetic": _STORY | {Feed.WORKER},
    "demo": _STORY | {Feed.ENGINE},
    "cluster": _STORY | {Feed.ENGINE},
}
"""Run → feeds that it surely has."""


def feeds_of(names: str) -> frozenset[Feed]:
    """``demo,node`` → the feeds of the run demo, and node. ValueError names an unknown one."""
    found: set[Feed] = set()
    for name in names.split(","):
        found |= RUNS[name] if name in RUNS else {Feed(name)}
    return frozenset(found)
