"""The table of ``slipway get`` is kubectl's, by the CRD's printer columns."""

from __future__ import annotations

from pathlib import Path

import pytest
import refreeze

from slipway_cli.columns import MODEL_COLUMNS, VERSION_COLUMNS
from slipway_cli.resources import Kind
from slipway_contracts.crd.definitions import definitions

CRDS = {body["spec"]["names"]["kind"]: body["spec"] for body in definitions().values()}


@pytest.mark.parametrize(
    ("kind", "columns"), [(Kind.MODEL, MODEL_COLUMNS), (Kind.VERSION, VERSION_COLUMNS)]
)
def test_both_tools_print_one_table(kind: Kind, columns: tuple) -> None:
    declared = CRDS[kind]["versions"][0]["additionalPrinterColumns"]
    ours = [(c.name, c.wide) for c in columns if c.name != "Name"]
    assert ours == [(c["name"], c.get("priority", 0) == 1) for c in declared]


@pytest.mark.parametrize("kind", list(Kind))
def test_kinds_have_the_crds_names(kind: Kind) -> None:
    names = CRDS[kind]["names"]
    assert (kind.plural, [kind.short]) == (names["plural"], names["shortNames"])


def test_the_command_line_is_frozen() -> None:
    """Scripts lean on commands and flags; changed on purpose or not at all."""
    expected = (Path(__file__).parent / "frozen" / "commands.txt").read_text().splitlines()
    assert refreeze.command() == expected, "if that is meant: tests/support/refreeze.py"
