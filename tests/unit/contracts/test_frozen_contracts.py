"""What people's manifests, scripts and dashboards lean on: changed on purpose or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import refreeze

FROZEN = Path(__file__).parent / "frozen"


@pytest.mark.parametrize("file", sorted(refreeze.contracts()))
def test_the_surface_is_frozen(file: str) -> None:
    """Adding is fine and shows here; removing or renaming breaks somebody."""
    expected = (FROZEN / file).read_text().splitlines()
    assert refreeze.contracts()[file] == expected, "if that is meant: tests/support/refreeze.py"
