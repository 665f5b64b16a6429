"""Metrics of others that dashboards, rules and ``slipway top`` read: name, labels, exporter.

Nothing here is emitted by Slipway. A name that is not in this list, the catalogue or the recorded
series may not stand in a query: a test refuses it. Ray writes vLLM's colons as underscores.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from slipway_contracts.metrics.kinds import Label


class Exporter(StrEnum):
    """Who emits it; the value is what a person has to install or turn on."""

    PROMETHEUS = "Prometheus itself"
    PROCESS = "prometheus_client in Slipway's processes"
    RAY = "Ray (metrics port of each node)"
    VLLM_IN_RAY = "vLLM, through Ray"
    VLLM = "a vLLM server on its own"
    NODE = "node exporter"
    CADVISOR = "kubelet (cAdvisor)"
    KUBE_STATE = "kube-state-metrics"
    DCGM = "DCGM exporter"
    POSTGRES = "PostgreSQL exporter"
    QDRANT = "Qdrant"
    CERT_MANAGER = "cert-manager"
    BLACKBOX = "blackbox exporter"


TARGET_LABELS = ("job", "instance", "namespace", "pod", "container", "node", "service", "endpoint")
"""Labels that a scrape adds to whatever it reads."""

ENGINE_LABELS = ("model", "version")
"""Labels that the scrape of Slipway's engines adds: the public names of what runs there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """One metric of somebody else's; ``of`` are the labels that queries may use."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    exporter: Exporter
    of: tuple[Label, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of its own labels, in order."""
        return tuple(label.name for label in self.of)


def _family(
    exporter: Exporter, kind: Literal["counter", "gauge", "histogram"], *names: str, of: str = ""
) -> tuple[Foreign, ...]:
    labels = tuple(Label(name=name, bound=1000) for name in of.split())
    return tuple(Foreign(name=name, kind=kind, exporter=exporter, of=labels) for name in names)


_SERVE = "application deployment"
_RAY_NODE = "ip RayNodeType SessionName"
_RAY_GPU = f"{_RAY_NODE} GpuIndex GpuDeviceName"
_VLLM_LABELS = "model_name engine"
_DCGM_LABELS = "gpu UUID device modelName Hostname"

PROMETHEUS = (
    *_family(Exporter.PROMETHEUS, "gauge", "up", "scrape_duration_seconds"),
    Foreign(
        name="ALERTS",
        kind="gauge",
        exporter=Exporter.PROMETHEUS,
        of=(
            Label(name="alertname", bound=200),
            Label(name="alertstate", values=("pending", "firing")),
            Label(name="severity", values=("page", "ticket", "info")),
            Label(name="model", bound=500),
            Label(name="version", bound=2000),
        ),
    ),
)
PROCESS = (
    *_family(Exporter.PROCESS, "gauge", "process_resident_memory_bytes", "process_open_fds"),
    *_family(Exporter.PROCESS, "counter", "process_cpu_seconds_total"),
)
RAY = (
    *_family(
        Exporter.RAY,
        "counter",
        "ray_serve_deployment_error_counter_total",
        of=f"{_SERVE} replica route",
    ),
    *_family(
        Exporter.RAY,
        "histogram",
        "ray_serve_deployment_processing_latency_ms",
        of=f"{_SERVE} replica route",
    ),
    *_family(Exporter.RAY, "gauge", "ray_serve_deployment_queued_queries", of=_SERVE),
    *_family(
        Exporter.RAY,
        "gauge",
        "ray_serve_deployment_replica_healthy",
        of=f"{_SERVE} replica",
    ),
    *_family(
        Exporter.RAY,
        "gauge",
        "ray_node_cpu_utilization",
        "ray_node_mem_used",
        "ray_node_mem_total",
        "ray_node_disk_usage",
        "ray_node_disk_free",
        "ray_node_disk_io_read_speed",
        "ray_node_disk_io_write_speed",
        "ray_node_network_receive_speed",
        "ray_node_network_send_speed",
        of=_RAY_NODE,
    ),
    *_family(
        Exporter.RAY,
        "gauge",
        "ray_node_gpus_utilization",
        "ray_node_gram_used",
        "ray_node_gram_available",
        of=_RAY_GPU,
    ),
)
_VLLM_GAUGES = ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc")
_VLLM_COUNTERS = (
    "prefix_cache_queries_total",
    "prefix_cache_hits_total",
    "num_preemptions_total",
    "prompt_tokens_total",
    "generation_tokens_total",
)
_VLLM_HISTOGRAMS = (
    "time_to_first_token_seconds",
    "inter_token_latency_seconds",
    "request_queue_time_seconds",
    "request_prefill_time_seconds",
    "request_decode_time_seconds",
)


def _vllm(exporter: Exporter, prefix: str, *, of: str) -> tuple[Foreign, ...]:
    def named(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(prefix + name for name in names)

    return (
        *_family(exporter, "gauge", *named(_VLLM_GAUGES), of=of),
        *_family(exporter, "counter", *named(_VLLM_COUNTERS), of=of),
        *_family(exporter, "counter", f"{prefix}request_success_total", of=f"{of} finished_reason"),
        *_family(exporter, "histogram", *named(_VLLM_HISTOGRAMS), of=of),
    )


VLLM = (
    *_vllm(Exporter.VLLM_IN_RAY, "ray_vllm_", of=f"{_VLLM_LABELS} ReplicaId WorkerId"),
    *_vllm(Exporter.VLLM, "vllm:", of=_VLLM_LABELS),
)
_MODES = (
    "idle",
    "iowait",
    "irq",
    "nice",
    "softirq",
    "steal",
    "system",
    "user",
)
NODE = (
    Foreign(
        name="node_cpu_seconds_total",
        kind="counter",
        exporter=Exporter.NODE,
        of=(Label(name="cpu", bound=1000), Label(name="mode", values=_MODES)),
    ),
    *_family(
        Exporter.NODE,
        "gauge",
        "node_load1",
        "node_load5",
        "node_load15",
        "node_memory_MemTotal_bytes",
        "node_memory_MemAvailable_bytes",
    ),
    *_family(
        Exporter.NODE,
        "gauge",
        "node_filesystem_size_bytes",
        "node_filesystem_avail_bytes",
        of="device fstype mountpoint",
    ),
    *_family(
        Exporter.NODE,
        "counter",
        "node_disk_read_bytes_total",
        "node_disk_written_bytes_total",
        "node_disk_io_time_seconds_total",
        "node_network_receive_bytes_total",
        "node_network_transmit_bytes_total",
        of="device",
    ),
)
DCGM = (
    *_family(
        Exporter.DCGM,
        "gauge",
        "DCGM_FI_DEV_GPU_UTIL",
        "DCGM_FI_DEV_FB_USED",
        "DCGM_FI_DEV_FB_FREE",
        "DCGM_FI_DEV_GPU_TEMP",
        "DCGM_FI_DEV_MEMORY_TEMP",
        "DCGM_FI_DEV_POWER_USAGE",
        of=_DCGM_LABELS,
    ),
    *_family(
        Exporter.DCGM, "gauge", "DCGM_FI_DEV_XID_ERRORS", of=f"{_DCGM_LABELS} err_code err_msg"
    ),
    *_family(
        Exporter.DCGM,
        "counter",
        "DCGM_FI_DEV_THERMAL_VIOLATION",
        of=_DCGM_LABELS,
    ),
)
POSTGRES = (
    *_family(Exporter.POSTGRES, "gauge", "pg_up", "pg_settings_max_connections", of="server"),
    *_family(
        Exporter.POSTGRES, "gauge", "pg_stat_activity_count", of="datname state usename server"
    ),
    *_family(Exporter.POSTGRES, "gauge", "pg_database_size_bytes", of="datname"),
    *_family(
        Exporter.POSTGRES,
        "counter",
        "pg_stat_database_xact_commit",
        "pg_stat_database_xact_rollback",
        "pg_stat_database_deadlocks",
        "pg_stat_database_blks_hit",
        "pg_stat_database_blks_read",
        of="datid datname",
    ),
)
QDRANT = (
    *_family(Exporter.QDRANT, "gauge", "collections_total", "memory_resident_bytes"),
    *_family(Exporter.QDRANT, "gauge", "collection_points", of="id"),
    *_family(
        Exporter.QDRANT,
        "histogram",
        "rest_responses_duration_seconds",
        of="method endpoint status",
    ),
    *_family(Exporter.QDRANT, "histogram", "grpc_responses_duration_seconds", of="endpoint"),
)
KUBERNETES = (
    *_family(
        Exporter.KUBE_STATE, "gauge", "kube_pod_container_status_waiting_reason", of="reason uid"
    ),
    *_family(Exporter.KUBE_STATE, "gauge", "kube_pod_status_phase", of="phase uid"),
    *_family(Exporter.KUBE_STATE, "gauge", "kube_pod_status_unschedulable", of="uid"),
    *_family(Exporter.KUBE_STATE, "counter", "kube_pod_container_status_restarts_total", of="uid"),
    *_family(
        Exporter.CADVISOR,
        "gauge",
        "kubelet_volume_stats_available_bytes",
        "kubelet_volume_stats_capacity_bytes",
        of="persistentvolumeclaim",
    ),
    *_family(Exporter.CADVISOR, "counter", "container_cpu_usage_seconds_total", of="id image name"),
    *_family(Exporter.CADVISOR, "gauge", "container_memory_working_set_bytes", of="id image name"),
    *_family(
        Exporter.CERT_MANAGER,
        "gauge",
        "certmanager_certificate_expiration_timestamp_seconds",
        of="name condition",
    ),
    *_family(Exporter.BLACKBOX, "gauge", "probe_ssl_earliest_cert_expiry"),
)

FOREIGN: tuple[Foreign, ...] = (
    *PROMETHEUS,
    *PROCESS,
    *RAY,
    *VLLM,
    *NODE,
    *DCGM,
    *POSTGRES,
    *QDRANT,
    *KUBERNETES,
)
_BY_NAME = {metric.name: metric for metric in FOREIGN}


def foreign(name: str) -> Foreign:
    """The metric of that name; KeyError names a query's mistake at once."""
    return _BY_NAME[name]
