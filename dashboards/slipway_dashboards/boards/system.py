"""System: the machines, their GPUs, our own processes, PostgreSQL and the pods."""

from __future__ import annotations

from slipway_contracts.metrics.foreign import foreign
from slipway_dashboards.board import Board, Choice, Limit, Panel, Query, Row, Shape, Unit
from slipway_dashboards.boards.accelerators import accelerators
from slipway_dashboards.feeds import Feed
from slipway_dashboards.promql import added, highest, rate, share, total

_HERE = 'instance=~"$instance"'
_DISK = 'fstype!~"tmpfs|overlay|squashfs|ramfs"'
_CARD = 'device!~"lo|veth.*|cali.*|br-.*|docker.*"'
_FULL = (Limit(at=0.8, colour="orange"), Limit(at=0.9, colour="red"))
_OURS = 'job=~"slipway-(gateway|operator|worker)"'


def _panel(
    feed: Feed,
    title: str,
    *lines: tuple[str, str],
    about: str,
    unit: Unit,
    limits: tuple[Limit, ...] = (),
    bounded: bool = False,
    width: int = 8,
    shape: Shape = Shape.LINES,
    runbooks: tuple[str, ...] = (),
) -> Panel:
    return Panel(
        title=title,
        about=about,
        unit=unit,
        queries=tuple(Query(expr=expr, legend=legend) for expr, legend in lines),
        fed_by=feed,
        limits=limits,
        bounded=bounded,
        width=width,
        shape=shape,
        runbooks=runbooks,
    )


def _node(name: str, *matchers: str) -> str:
    return highest(foreign(f"node_{name}"), _HERE, *matchers, by="instance")


_MACHINES = Row(
    title="Machines",
    panels=(
        _panel(
            Feed.NODE,
            "CPU",
            (
                "1 - "
                + added(
                    "avg",
                    "instance",
                    f'rate(node_cpu_seconds_total{{{_HERE},mode="idle"}}[$__rate_interval])',
                ),
                "{{instance}}",
            ),
            about="Share of each machine's processors that is busy.",
            unit=Unit.RATIO,
            bounded=True,
            limits=_FULL,
        ),
        _panel(
            Feed.NODE,
            "Memory",
            (
                f"1 - {_node('memory_MemAvailable_bytes')} / {_node('memory_MemTotal_bytes')}",
                "{{instance}}",
            ),
            about="Share of each machine's memory in use.",
            unit=Unit.RATIO,
            bounded=True,
            limits=_FULL,
        ),
        _panel(
            Feed.NODE,
            "Load",
            *(
                (_node(f"load{minutes}"), f"{{{{instance}}}} {minutes} min")
                for minutes in (1, 5, 15)
            ),
            about="Load averages; compare with the number of processors.",
            unit=Unit.COUNT,
        ),
        _panel(
            Feed.NODE,
            "Disk space",
            (
                "1 - "
                + total(
                    foreign("node_filesystem_avail_bytes"), _HERE, _DISK, by="instance, mountpoint"
                )
                + " / "
                + total(
                    foreign("node_filesystem_size_bytes"), _HERE, _DISK, by="instance, mountpoint"
                ),
                "{{instance}} {{mountpoint}}",
            ),
            about="Share of each file system in use.",
            unit=Unit.RATIO,
            bounded=True,
            limits=_FULL,
        ),
        _panel(
            Feed.NODE,
            "Disk traffic",
            (
                rate(foreign("node_disk_read_bytes_total"), _HERE, by="instance"),
                "{{instance}} read",
            ),
            (
                rate(foreign("node_disk_written_bytes_total"), _HERE, by="instance"),
                "{{instance}} written",
            ),
            about="Bytes a second, over all disks of a machine.",
            unit=Unit.BYTES_PER_SECOND,
        ),
        _panel(
            Feed.NODE,
            "Network",
            (
                rate(foreign("node_network_receive_bytes_total"), _HERE, _CARD, by="instance"),
                "{{instance}} in",
            ),
            (
                rate(foreign("node_network_transmit_bytes_total"), _HERE, _CARD, by="instance"),
                "{{instance}} out",
            ),
            about="Bytes a second, over the machine's own cards.",
            unit=Unit.BYTES_PER_SECOND,
        ),
        _panel(
            Feed.NODE,
            "Disk wait",
            (
                added(
                    "max",
                    "instance",
                    f"rate(node_disk_io_time_seconds_total{{{_HERE}}}[$__rate_interval])",
                ),
                "{{instance}}",
            ),
            about="Share of the time that the busiest disk had work.",
            unit=Unit.RATIO,
            bounded=True,
            width=24,
        ),
    ),
)
_FAULTS = Row(
    title="GPU faults",
    panels=(
        _panel(
            Feed.GPU,
            "XID errors",
            (
                highest(foreign("DCGM_FI_DEV_XID_ERRORS"), by="Hostname, gpu"),
                "{{Hostname}} {{gpu}}",
            ),
            about="The last XID that the driver told of; 0 is none.",
            unit=Unit.COUNT,
            limits=(Limit(at=1, colour="red"),),
            width=12,
            runbooks=("gpu-xid",),
        ),
        _panel(
            Feed.GPU,
            "GPU memory temperature",
            (
                highest(foreign("DCGM_FI_DEV_MEMORY_TEMP"), by="Hostname, gpu"),
                "{{Hostname}} {{gpu}}",
            ),
            about="Degrees of each GPU's memory.",
            unit=Unit.CELSIUS,
            limits=(Limit(at=90, colour="orange"), Limit(at=100, colour="red")),
            width=12,
        ),
    ),
)


def _ray(name: str) -> str:
    return highest(foreign(f"ray_node_{name}"), by="instance")


_RAY = Row(
    title="As Ray sees its machines (also without exporters)",
    panels=(
        _panel(
            Feed.ENGINE,
            "CPU of the engines' machines",
            (_ray("cpu_utilization"), "{{instance}}"),
            about="How busy the machine is that Ray runs on.",
            unit=Unit.PERCENT,
            bounded=True,
            width=6,
        ),
        _panel(
            Feed.ENGINE,
            "Memory of the engines' machines",
            (f"{_ray('mem_used')} / {_ray('mem_total')}", "{{instance}}"),
            about="Share of the memory that Ray sees.",
            unit=Unit.RATIO,
            bounded=True,
            width=6,
            limits=_FULL,
        ),
        _panel(
            Feed.ENGINE,
            "Disk and network of the engines' machines",
            (_ray("disk_io_read_speed"), "{{instance}} read"),
            (_ray("disk_io_write_speed"), "{{instance}} written"),
            (_ray("network_receive_speed"), "{{instance}} in"),
            (_ray("network_send_speed"), "{{instance}} out"),
            about="Bytes a second.",
            unit=Unit.BYTES_PER_SECOND,
            width=6,
        ),
        _panel(
            Feed.GPU,
            "GPUs of the engines",
            (
                highest(foreign("ray_node_gpus_utilization"), by="instance, GpuIndex"),
                "{{instance}} {{GpuIndex}}",
            ),
            about="GPU use as Ray reads it from the driver; needs no DCGM exporter.",
            unit=Unit.PERCENT,
            bounded=True,
            width=6,
        ),
    ),
)
_PROCESSES = Row(
    title="Slipway's own processes",
    panels=(
        _panel(
            Feed.TRAFFIC,
            "Processor of our processes",
            (
                rate(foreign("process_cpu_seconds_total"), _OURS, by="job, instance"),
                "{{job}} {{instance}}",
            ),
            about="Cores that each gateway, operator and worker uses.",
            unit=Unit.RATIO,
        ),
        _panel(
            Feed.TRAFFIC,
            "Memory of our processes",
            (
                total(foreign("process_resident_memory_bytes"), _OURS, by="job, instance"),
                "{{job}} {{instance}}",
            ),
            about="Resident bytes; a line that only climbs is a leak.",
            unit=Unit.BYTES,
        ),
        _panel(
            Feed.TRAFFIC,
            "Time of a scrape",
            (
                highest(
                    foreign("scrape_duration_seconds"), 'job=~"slipway-.*"', by="job, instance"
                ),
                "{{job}} {{instance}}",
            ),
            about="What it takes Prometheus to read a process.",
            unit=Unit.SECONDS,
            limits=(Limit(at=1, colour="orange"), Limit(at=5, colour="red")),
        ),
    ),
)
_DATABASE = Row(
    title="PostgreSQL",
    panels=(
        _panel(
            Feed.POSTGRES,
            "PostgreSQL is up",
            (f"min({foreign('pg_up').name})", "up"),
            about="1 while the exporter reaches PostgreSQL.",
            unit=Unit.COUNT,
            shape=Shape.NUMBER,
            width=4,
            limits=(Limit(at=0, colour="red"), Limit(at=1, colour="green")),
            runbooks=("postgresql-down",),
        ),
        _panel(
            Feed.POSTGRES,
            "Connections",
            (total(foreign("pg_stat_activity_count"), by="state"), "{{state}}"),
            (highest(foreign("pg_settings_max_connections")), "most"),
            about="Connections by state, beside how many there may be.",
            unit=Unit.COUNT,
            width=5,
        ),
        _panel(
            Feed.POSTGRES,
            "Transactions",
            (rate(foreign("pg_stat_database_xact_commit"), by="datname"), "{{datname}} done"),
            (rate(foreign("pg_stat_database_xact_rollback"), by="datname"), "{{datname}} undone"),
            (rate(foreign("pg_stat_database_deadlocks"), by="datname"), "{{datname}} deadlocks"),
            about="Transactions a second.",
            unit=Unit.COUNTS_PER_SECOND,
            width=5,
        ),
        _panel(
            Feed.POSTGRES,
            "Found in memory",
            (
                share(
                    rate(foreign("pg_stat_database_blks_hit")),
                    rate(foreign("pg_stat_database_blks_hit"))
                    + " + "
                    + rate(foreign("pg_stat_database_blks_read")),
                ),
                "hits",
            ),
            about="Share of blocks that PostgreSQL had in its buffers.",
            unit=Unit.RATIO,
            width=5,
        ),
        _panel(
            Feed.POSTGRES,
            "Size of the databases",
            (highest(foreign("pg_database_size_bytes"), by="datname"), "{{datname}}"),
            about="Bytes on disk.",
            unit=Unit.BYTES,
            width=5,
        ),
    ),
)
_PODS = Row(
    title="Pods",
    panels=(
        _panel(
            Feed.KUBERNETES,
            "Pods by phase",
            (total(foreign("kube_pod_status_phase"), by="phase"), "{{phase}}"),
            about="How many pods are in each phase.",
            unit=Unit.COUNT,
            shape=Shape.STACKED,
        ),
        _panel(
            Feed.KUBERNETES,
            "Why containers wait",
            (
                total(foreign("kube_pod_container_status_waiting_reason"), by="reason") + " > 0",
                "{{reason}}",
            ),
            (f"{total(foreign('kube_pod_status_unschedulable'))} > 0", "unschedulable"),
            about="Containers that wait, by reason; none is good.",
            unit=Unit.COUNT,
            runbooks=("candidate-unschedulable",),
        ),
        _panel(
            Feed.KUBERNETES,
            "Restarts of containers",
            (
                added(
                    "sum",
                    "pod",
                    "increase(kube_pod_container_status_restarts_total[$__range])",
                )
                + " > 0",
                "{{pod}}",
            ),
            about="Restarts in the time shown.",
            unit=Unit.COUNT,
        ),
    ),
)

SYSTEM = Board(
    name="system",
    title="Slipway / System",
    about="Are the machines, the GPUs, the database and the pods well?",
    rows=(_MACHINES, accelerators("GPUs"), _FAULTS, _RAY, _PROCESSES, _DATABASE, _PODS),
    choices=(Choice(name="instance", source="node_load1", title="Machine"),),
)
