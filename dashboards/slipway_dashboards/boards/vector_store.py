"""Vector store: what Qdrant holds, how fast it searches, and what that costs."""

from __future__ import annotations

from slipway_contracts.metrics.foreign import foreign
from slipway_dashboards.board import Board, Panel, Query, Row, Shape, Unit
from slipway_dashboards.feeds import Feed
from slipway_dashboards.promql import highest, quantile, rate, share, total

_REST = foreign("rest_responses_duration_seconds")
_GRPC = foreign("grpc_responses_duration_seconds")
_SEARCH = 'endpoint=~".*(search|query).*"'


def _panel(
    title: str,
    about: str,
    unit: Unit,
    *lines: tuple[str, str],
    width: int = 8,
    shape: Shape = Shape.LINES,
) -> Panel:
    return Panel(
        title=title,
        about=about,
        unit=unit,
        queries=tuple(Query(expr=expr, legend=legend) for expr, legend in lines),
        fed_by=Feed.QDRANT,
        width=width,
        shape=shape,
    )


VECTOR_STORE = Board(
    name="vector_store",
    title="Slipway / Vector store",
    about="What does Qdrant hold, and how fast does it find it?",
    rows=(
        Row(
            title="Collections",
            panels=(
                _panel(
                    "Collections",
                    "How many collections each node has.",
                    Unit.COUNT,
                    (highest(foreign("collections_total"), by="instance"), "{{instance}}"),
                    shape=Shape.NUMBER,
                ),
                _panel(
                    "Points by collection",
                    "Points of each collection; a fall is a deletion.",
                    Unit.COUNT,
                    (highest(foreign("collection_points"), by="id"), "{{id}}"),
                    width=16,
                ),
            ),
        ),
        Row(
            title="Queries",
            panels=(
                _panel(
                    "Search latency",
                    "95 of 100 searches took no longer, by endpoint.",
                    Unit.SECONDS,
                    (quantile(0.95, _REST, _SEARCH, by="endpoint"), "{{endpoint}}"),
                    (quantile(0.95, _GRPC, by="endpoint"), "gRPC {{endpoint}}"),
                ),
                _panel(
                    "Query rate",
                    "Requests a second, by endpoint.",
                    Unit.PER_SECOND,
                    (rate(_REST, by="endpoint", suffix="_count"), "{{endpoint}}"),
                    (rate(_GRPC, by="endpoint", suffix="_count"), "gRPC {{endpoint}}"),
                ),
                _panel(
                    "Failed queries",
                    "Share of REST answers that were 4xx or 5xx.",
                    Unit.RATIO,
                    (
                        share(
                            rate(_REST, 'status=~"[45].."', suffix="_count"),
                            rate(_REST, suffix="_count"),
                        ),
                        "failed",
                    ),
                ),
            ),
        ),
        Row(
            title="Resources",
            panels=(
                _panel(
                    "Qdrant's memory",
                    "Resident bytes of each node.",
                    Unit.BYTES,
                    (highest(foreign("memory_resident_bytes"), by="instance"), "{{instance}}"),
                    width=12,
                ),
                Panel(
                    title="Qdrant's processor",
                    about="Cores in use by Qdrant's containers.",
                    unit=Unit.COUNT,
                    queries=(
                        Query(
                            expr=rate(
                                foreign("container_cpu_usage_seconds_total"),
                                'container="qdrant"',
                                by="pod",
                            ),
                            legend="{{pod}}",
                        ),
                    ),
                    fed_by=Feed.KUBERNETES,
                    width=6,
                ),
                Panel(
                    title="Space for vectors",
                    about="Share of Qdrant's volumes that is free.",
                    unit=Unit.RATIO,
                    queries=(
                        Query(
                            expr=share(
                                total(
                                    foreign("kubelet_volume_stats_available_bytes"),
                                    'persistentvolumeclaim=~".*qdrant.*"',
                                    by="persistentvolumeclaim",
                                ),
                                total(
                                    foreign("kubelet_volume_stats_capacity_bytes"),
                                    'persistentvolumeclaim=~".*qdrant.*"',
                                    by="persistentvolumeclaim",
                                ),
                            ),
                            legend="{{persistentvolumeclaim}}",
                        ),
                    ),
                    fed_by=Feed.KUBERNETES,
                    width=6,
                ),
            ),
        ),
    ),
)
