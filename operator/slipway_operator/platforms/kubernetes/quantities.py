"""Kubernetes quantities as numbers, as far as sums of them are needed. Pure."""

from __future__ import annotations

import re
from math import ceil

from slipway_contracts.conditions import Reason
from slipway_operator.errors import Terminal

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_SCALE = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_BINARY = {f"{letter}i": 2.0 ** (10 * power) for power, letter in enumerate("KMGT", 1)}


def millicores(quantity: str | float) -> int:
    """``"1"``, ``0.5``, ``"250m"`` → thousandths of a core."""
    return ceil(1000 * _number(quantity))


def cores(thousandths: int) -> str:
    """The quantity as the API server writes it: ``"2"``, ``"250m"``."""
    whole, rest = divmod(thousandths, 1000)
    return f"{thousandths}m" if rest else str(whole)


def mebibytes(quantity: str | float) -> int:
    """``"2Gi"``, ``"512Mi"`` → MiB, rounded up."""
    return ceil(_number(quantity) / 2**20)


def _number(quantity: str | float) -> float:
    match = _QUANTITY.fullmatch(str(quantity))
    if match is None:
        raise Terminal(
            f"{quantity!r} is not a quantity; write it like '500m' or '2Gi' in the chart's values",
            reason=Reason.INVALID,
        )
    return float(match[1]) * (_SCALE | _BINARY)[match[2] or ""]
