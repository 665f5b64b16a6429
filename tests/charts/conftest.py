"""The charts tier: Helm itself, no cluster. The default render is made once."""

from __future__ import annotations

from typing import Any

import pytest
from helm_chart import render


@pytest.fixture(scope="session")
def default() -> list[dict[str, Any]]:
    """Every object of the chart with no values."""
    return render()
