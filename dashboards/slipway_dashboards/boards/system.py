"""System: the machines, their GPUs, our own processes, PostgreSQL and the pods."""

from __future__ import annotations

from slipway_contracts.metrics.foreign import foreign
from slipway_dashboards.board import Board, Choice, Limit, Row, Unit
from slipway_dashboards.boards.accelerators import accelerators
from slipway_dashboards.boards.platform import CERTIFICATES, DATABASE, PODS
from slipway_dashboards.boards.short import panel_of
from slipway_dashboards.feeds import Feed
from slipway_dashboards.promql import added, highest, rate, total

_HERE = 'instance=~"$instance"'
_DISK = 'fstype!~"tmpfs|overlay|squashfs|ramfs"'
_CARD = 'device!~"lo|veth.*|cali.*|br-.*|docker.*"'
_FULL = (Limit(at=0.8, colour="orange"), Limit(at=0.9, colour="red"))
_OURS = 'job=~"slipway-(gateway|operator|worker)"'


def _node(name: str, *matchers: str) -> str:
    return highest(foreign(f"node_{name}"), _HERE, *matchers, by="instance")


_MACHINES = Row(
    title="Machines",
    panels=(
        panel_of(
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
        panel_of(
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
        panel_of(
            Feed.NODE,
            "Load",
            *(
                (_node(f"load{minutes}"), f"{{{{instance}}}} {minutes} min")
                for minutes in (1, 5, 15)
            ),
            about="Load averages; compare with the number of processors.",
            unit=Unit.COUNT,
        ),
        panel_of(
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
            runbooks=("disk-filling", "disk-almost-full"),
        ),
        panel_of(
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
        panel_of(
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
        panel_of(
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
        panel_of(
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
            runbooks=("gpu-xid-error",),
        ),
        panel_of(
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


_GRAM_USED = total(foreign("ray_node_gram_used"), by="instance, GpuIndex")
_GRAM_FREE = total(foreign("ray_node_gram_available"), by="instance, GpuIndex")
_RAY = Row(
    title="As Ray sees its machines (also without exporters)",
    panels=(
        panel_of(
            Feed.ENGINE,
            "CPU of the engines' machines",
            (_ray("cpu_utilization"), "{{instance}}"),
            about="How busy the machine is that Ray runs on.",
            unit=Unit.PERCENT,
            bounded=True,
            width=6,
        ),
        panel_of(
            Feed.ENGINE,
            "Memory of the engines' machines",
            (f"{_ray('mem_used')} / {_ray('mem_total')}", "{{instance}}"),
            about="Share of the memory that Ray sees.",
            unit=Unit.RATIO,
            bounded=True,
            width=6,
            limits=_FULL,
        ),
        panel_of(
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
        panel_of(
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
        panel_of(
            Feed.GPU,
            "GPU memory of the engines",
            (
                f"{_GRAM_USED} / ({_GRAM_USED} + {_GRAM_FREE})",
                "{{instance}} {{GpuIndex}}",
            ),
            about="Share of GPU memory in use as Ray reads it; needs no DCGM exporter.",
            unit=Unit.RATIO,
            bounded=True,
            width=12,
        ),
        panel_of(
            Feed.ENGINE,
            "Disk space of the engines' machines",
            (
                f"{_ray('disk_usage')} / ({_ray('disk_usage')} + {_ray('disk_free')})",
                "{{instance}}",
            ),
            about="Share in use; Ray spills and caches artifacts there.",
            unit=Unit.RATIO,
            bounded=True,
            width=12,
            limits=_FULL,
        ),
    ),
)
_PROCESSES = Row(
    title="Slipway's own processes",
    panels=(
        panel_of(
            Feed.TRAFFIC,
            "Processor of our processes",
            (
                rate(foreign("process_cpu_seconds_total"), _OURS, by="job, instance"),
                "{{job}} {{instance}}",
            ),
            about="Cores that each gateway, operator and worker uses.",
            unit=Unit.COUNT,
            width=6,
        ),
        panel_of(
            Feed.TRAFFIC,
            "Memory of our processes",
            (
                total(foreign("process_resident_memory_bytes"), _OURS, by="job, instance"),
                "{{job}} {{instance}}",
            ),
            about="Resident bytes; a line that only climbs is a leak.",
            unit=Unit.BYTES,
            width=6,
        ),
        panel_of(
            Feed.TRAFFIC,
            "Open files of our processes",
            (
                total(foreign("process_open_fds"), _OURS, by="job, instance"),
                "{{job}} {{instance}}",
            ),
            about="Sockets and files; a line that only climbs is a leak.",
            unit=Unit.COUNT,
            width=6,
        ),
        panel_of(
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
            width=6,
            limits=(Limit(at=1, colour="orange"), Limit(at=5, colour="red")),
        ),
    ),
)
SYSTEM = Board(
    name="system",
    title="Slipway / System",
    about="Are the machines, the GPUs, the database and the pods well?",
    rows=(
        _MACHINES,
        accelerators("GPUs"),
        _FAULTS,
        _RAY,
        _PROCESSES,
        DATABASE,
        PODS,
        CERTIFICATES,
    ),
    choices=(Choice(name="instance", source="node_load1", title="Machine"),),
)
