"""The row of GPU panels, which several dashboards share: DCGM's figures and, without it, Ray's."""

from __future__ import annotations

from slipway_contracts.metrics.foreign import foreign
from slipway_dashboards.board import Limit, Panel, Query, Row, Unit
from slipway_dashboards.feeds import Feed
from slipway_dashboards.promql import highest, total

_GPU = "Hostname, gpu"
_LEGEND = "{{Hostname}} GPU {{gpu}}"
_HOT = (Limit(at=80, colour="orange"), Limit(at=90, colour="red"))


def _dcgm(
    title: str,
    about: str,
    unit: Unit,
    name: str,
    *,
    limits: tuple[Limit, ...] = (),
    bounded: bool = False,
    runbooks: tuple[str, ...] = (),
) -> Panel:
    return Panel(
        title=title,
        about=about,
        unit=unit,
        queries=(Query(expr=highest(foreign(name), by=_GPU), legend=_LEGEND),),
        fed_by=Feed.GPU,
        width=6,
        limits=limits,
        bounded=bounded,
        runbooks=runbooks,
    )


def _memory() -> Panel:
    used = total(foreign("DCGM_FI_DEV_FB_USED"), by=_GPU)
    free = total(foreign("DCGM_FI_DEV_FB_FREE"), by=_GPU)
    return Panel(
        title="GPU memory",
        about="Share of the GPU's memory in use; engines take nearly all of it on purpose.",
        unit=Unit.RATIO,
        bounded=True,
        queries=(Query(expr=f"{used} / ({used} + {free})", legend=_LEGEND),),
        fed_by=Feed.GPU,
        width=6,
    )


def accelerators(title: str) -> Row:
    """Use, memory, temperature and power of every GPU that is scraped."""
    return Row(
        title=title,
        panels=(
            _dcgm(
                "GPU use",
                "How busy each GPU is.",
                Unit.PERCENT,
                "DCGM_FI_DEV_GPU_UTIL",
                bounded=True,
            ),
            _memory(),
            _dcgm(
                "GPU temperature",
                "Degrees of each GPU; a hot one slows down.",
                Unit.CELSIUS,
                "DCGM_FI_DEV_GPU_TEMP",
                limits=_HOT,
                runbooks=("gpu-thermal",),
            ),
            _dcgm("GPU power", "Watts that each GPU draws.", Unit.WATTS, "DCGM_FI_DEV_POWER_USAGE"),
        ),
    )
