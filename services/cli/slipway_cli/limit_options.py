"""The limits' options of ``keys`` and ``tenants``, and what they make of a set of limits."""

from __future__ import annotations

from typing import Annotated

import typer

from slipway_store.quotas import LimitRules, Quota

_HELP = "0 takes the limit away."
RequestsPerMinute = Annotated[
    int | None, typer.Option(min=0, help=f"Requests a minute. {_HELP}", show_default=False)
]
TokensPerMinute = Annotated[
    int | None, typer.Option(min=0, help=f"Tokens a minute. {_HELP}", show_default=False)
]
TokensPerDay = Annotated[
    int | None, typer.Option(min=0, help=f"Tokens a day (UTC). {_HELP}", show_default=False)
]
Concurrency = Annotated[
    int | None, typer.Option(min=0, help=f"Requests at one time. {_HELP}", show_default=False)
]


def changed_limits(before: LimitRules, given: dict[Quota, int | None]) -> LimitRules:
    """``given`` over ``before``: None keeps, 0 takes away."""
    limits = before.stored()
    for quota, limit in given.items():
        if limit == 0:
            limits.pop(quota.value, None)
        elif limit is not None:
            limits[quota.value] = limit
    return LimitRules(**limits)


def limits_line(limits: LimitRules) -> str:
    """Short, for a table: ``600 rpm, 90000 tpm``."""
    units = {
        Quota.REQUESTS_PER_MINUTE: "rpm",
        Quota.TOKENS_PER_MINUTE: "tpm",
        Quota.TOKENS_PER_DAY: "tpd",
        Quota.CONCURRENCY: "at once",
    }
    parts = [f"{limits.of(quota)} {unit}" for quota, unit in units.items() if limits.of(quota)]
    return ", ".join(parts) or "none"
