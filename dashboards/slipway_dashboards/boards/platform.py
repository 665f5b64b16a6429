"""Rows of what Slipway stands on: PostgreSQL, the pods and the certificates."""

from __future__ import annotations

from slipway_contracts.metrics.foreign import foreign
from slipway_dashboards.board import Limit, Row, Shape, Unit
from slipway_dashboards.boards.short import panel_of
from slipway_dashboards.feeds import Feed
from slipway_dashboards.promql import added, highest, rate, share, total

DATABASE = Row(
    title="PostgreSQL",
    panels=(
        panel_of(
            Feed.POSTGRES,
            "PostgreSQL is up",
            (f"min({foreign('pg_up').name})", "up"),
            about="1 while the exporter reaches PostgreSQL.",
            unit=Unit.COUNT,
            shape=Shape.NUMBER,
            width=4,
            limits=(Limit(at=0, colour="red"), Limit(at=1, colour="green")),
            runbooks=("postgres-down",),
        ),
        panel_of(
            Feed.POSTGRES,
            "Connections",
            (total(foreign("pg_stat_activity_count"), by="state"), "{{state}}"),
            (highest(foreign("pg_settings_max_connections")), "most"),
            about="Connections by state, beside how many there may be.",
            unit=Unit.COUNT,
            width=5,
        ),
        panel_of(
            Feed.POSTGRES,
            "Transactions",
            (rate(foreign("pg_stat_database_xact_commit"), by="datname"), "{{datname}} done"),
            (rate(foreign("pg_stat_database_xact_rollback"), by="datname"), "{{datname}} undone"),
            (rate(foreign("pg_stat_database_deadlocks"), by="datname"), "{{datname}} deadlocks"),
            about="Transactions a second.",
            unit=Unit.COUNTS_PER_SECOND,
            width=5,
        ),
        panel_of(
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
        panel_of(
            Feed.POSTGRES,
            "Size of the databases",
            (highest(foreign("pg_database_size_bytes"), by="datname"), "{{datname}}"),
            about="Bytes on disk.",
            unit=Unit.BYTES,
            width=5,
        ),
    ),
)
CERTIFICATES = Row(
    title="Certificates",
    panels=(
        panel_of(
            Feed.CERTIFICATES,
            "Certificates end in",
            (
                highest(foreign("certmanager_certificate_expiration_timestamp_seconds"), by="name")
                + " - time()",
                "{{name}}",
            ),
            (
                highest(foreign("probe_ssl_earliest_cert_expiry"), by="instance") + " - time()",
                "{{instance}}",
            ),
            about="How long each certificate is still good.",
            unit=Unit.SECONDS,
            width=24,
            runbooks=("certificate-expires",),
        ),
    ),
)
PODS = Row(
    title="Pods",
    panels=(
        panel_of(
            Feed.KUBERNETES,
            "Pods by phase",
            (total(foreign("kube_pod_status_phase"), by="phase"), "{{phase}}"),
            about="How many pods are in each phase.",
            unit=Unit.COUNT,
            shape=Shape.STACKED,
        ),
        panel_of(
            Feed.KUBERNETES,
            "Why containers wait",
            (
                total(foreign("kube_pod_container_status_waiting_reason"), by="reason") + " > 0",
                "{{reason}}",
            ),
            (f"{total(foreign('kube_pod_status_unschedulable'))} > 0", "unschedulable"),
            about="Containers that wait, by reason; none is good.",
            unit=Unit.COUNT,
        ),
        panel_of(
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
        panel_of(
            Feed.KUBERNETES,
            "Processor of pods",
            (
                rate(foreign("container_cpu_usage_seconds_total"), 'container!=""', by="pod"),
                "{{pod}}",
            ),
            about="Cores that each pod uses.",
            unit=Unit.COUNT,
            width=12,
        ),
        panel_of(
            Feed.KUBERNETES,
            "Memory of pods",
            (
                total(foreign("container_memory_working_set_bytes"), 'container!=""', by="pod"),
                "{{pod}}",
            ),
            about="Bytes that the kernel cannot take back from each pod.",
            unit=Unit.BYTES,
            width=12,
        ),
    ),
)
