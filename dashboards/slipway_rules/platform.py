"""Alerts about what Slipway runs on: scrapes, disks, GPUs, certificates, engines' replicas.

Each reads an exporter of somebody else's; where that is not installed, the alert is silent.
"""

from __future__ import annotations

from slipway_rules.kinds import Alert, Group, Severity

_DISK = 'fstype!~"tmpfs|overlay|squashfs|ramfs"'

NOT_SCRAPED = Alert(
    name="ProcessNotScraped",
    expr='up{job=~"slipway-.*"} == 0',
    hold="10m",
    severity=Severity.TICKET,
    summary="{{ $labels.job }} {{ $labels.instance }} gives no metrics",
    description=(
        "It is away, hangs, or a NetworkPolicy keeps Prometheus out; what it would tell is missing "
        "from dashboards and alerts. See its pod, and Prometheus' page of targets for the error."
    ),
    meaning="A process that should be scraped has not answered for ten minutes.",
)
ENGINE = Alert(
    name="EngineReplicaUnhealthy",
    expr="""min by (namespace, model, version, application, deployment, replica) (
  ray_serve_deployment_replica_healthy
) == 0""",
    hold="5m",
    severity=Severity.TICKET,
    summary="A replica of {{ $labels.application }} is not healthy",
    description=(
        "Ray Serve has found it unhealthy for five minutes and has not replaced it. Read its log "
        "(Ray's dashboard, or the pod's) for out of memory and CUDA errors."
    ),
    meaning="Ray Serve finds a replica of an engine unhealthy.",
)
DISK_FILLING = Alert(
    name="DiskFilling",
    expr=f"""(
  node_filesystem_avail_bytes{{{_DISK}}} / node_filesystem_size_bytes{{{_DISK}}} < 0.2
  and
  predict_linear(node_filesystem_avail_bytes{{{_DISK}}}[6h], 86400) < 0
)
or
(
  kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes < 0.2
  and
  predict_linear(kubelet_volume_stats_available_bytes[6h], 86400) < 0
)""",
    hold="10m",
    severity=Severity.TICKET,
    summary="A disk will be full within a day",
    description=(
        "{{ $value | humanizePercentage }} is left of {{ $labels.mountpoint }}"
        "{{ $labels.persistentvolumeclaim }} on {{ $labels.instance }}. Delete versions that "
        "nobody needs (`slipway delete`), lower `retention`, or grow the volume."
    ),
    meaning="At the pace of the last six hours, a disk or a volume is full within a day.",
)
DISK_FULL = Alert(
    name="DiskAlmostFull",
    expr=f"""node_filesystem_avail_bytes{{{_DISK}}} / node_filesystem_size_bytes{{{_DISK}}} < 0.05
or
kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes < 0.05""",
    hold="5m",
    severity=Severity.PAGE,
    summary="A disk is almost full",
    description=(
        "{{ $value | humanizePercentage }} is left of {{ $labels.mountpoint }}"
        "{{ $labels.persistentvolumeclaim }} on {{ $labels.instance }}. Make room now: gateways "
        "lose log rows, checkpoints fail and PostgreSQL stops when it is full."
    ),
    meaning="Less than 5 % of a disk or a volume is left.",
)
XID = Alert(
    name="GpuXidError",
    expr="""DCGM_FI_DEV_XID_ERRORS > 0
and
(max_over_time(DCGM_FI_DEV_XID_ERRORS[1h]) > min_over_time(DCGM_FI_DEV_XID_ERRORS[1h])
 or DCGM_FI_DEV_XID_ERRORS unless DCGM_FI_DEV_XID_ERRORS offset 1h)""",
    hold="0s",
    severity=Severity.TICKET,
    summary="GPU {{ $labels.gpu }} of {{ $labels.Hostname }} reports XID {{ $value }}",
    description=(
        "48, 63, 64, 74, 79, 94 and 95 are the hardware: drain the node. 13, 31, 43 and 45 are "
        "mostly the program's own. `nvidia-smi -q -d ECC,PAGE_RETIREMENT` on the node."
    ),
    meaning="The NVIDIA driver reported an error of a GPU within the last hour.",
)
HOT = Alert(
    name="GpuThermal",
    expr="""max by (namespace, Hostname, gpu) (DCGM_FI_DEV_GPU_TEMP) > 88
or
max by (namespace, Hostname, gpu) (rate(DCGM_FI_DEV_THERMAL_VIOLATION[5m])) > 0""",
    hold="5m",
    severity=Severity.TICKET,
    summary="GPU {{ $labels.gpu }} of {{ $labels.Hostname }} is too hot",
    description=(
        "It slows itself down; first tokens come late. See fans and airflow, lower its power "
        "limit, or move the work: `kubectl cordon NODE`."
    ),
    meaning="A GPU is above 88 °C, or throttles because of heat.",
)
CERTIFICATE = Alert(
    name="CertificateExpires",
    expr="""min by (namespace, name) (certmanager_certificate_expiration_timestamp_seconds)
- time() < 604800
or
min by (namespace, instance) (probe_ssl_earliest_cert_expiry) - time() < 604800""",
    hold="10m",
    severity=Severity.TICKET,
    summary="The certificate {{ $labels.name }}{{ $labels.instance }} ends within a week",
    description=(
        "{{ $value | humanizeDuration }} are left. cert-manager should have renewed it: "
        "`kubectl describe certificate {{ $labels.name }}`; one that was made by hand has to be "
        "made anew, in its Secret."
    ),
    meaning="A certificate, or the Secret that holds it, ends within seven days.",
)


def groups() -> tuple[Group, ...]:
    """What the file ``platform.yaml`` holds."""
    found = (NOT_SCRAPED, ENGINE, DISK_FILLING, DISK_FULL, XID, HOT, CERTIFICATE)
    return (Group(name="slipway-platform", rules=found),)
