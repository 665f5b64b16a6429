"""Where images are built and kept: one folder below the cache, outside the checkout.

The only file that reads the environment for a place. Safe to delete while nothing builds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """``home`` is ``<cache>/images``; ``socket`` is the test cluster's containerd."""

    home: Path
    socket: Path

    @property
    def store(self) -> Path:
        """buildah's storage: layers by content, so that a change of code rebuilds in seconds."""
        return self.home / "store"

    @property
    def machine(self) -> Path:
        """This machine's package configuration, mounted into builds."""
        return self.home / "machine"

    @property
    def temporary(self) -> Path:
        """What buildah unpacks on the way."""
        return self.home / "tmp"

    @property
    def logs(self) -> Path:
        """The output of each build."""
        return self.home / "logs"

    @property
    def keys(self) -> Path:
        """For each reference the content key of its last build."""
        return self.home / "keys.json"

    def make(self) -> None:
        """Create what is missing."""
        for path in (self.store, self.machine, self.temporary, self.logs):
            path.mkdir(parents=True, exist_ok=True)


def folders(environment: Mapping[str, str] | None = None) -> Folders:
    """``SLIPWAY_CACHE`` and ``SLIPWAY_CLUSTER_HOME`` as the test cluster reads them."""
    given = os.environ if environment is None else environment
    home = Path(given.get("HOME") or "~").expanduser()
    base = Path(given.get("XDG_CACHE_HOME") or home / ".cache")
    cache = Path(given.get("SLIPWAY_CACHE") or base / "slipway").absolute()
    state = Path(given.get("SLIPWAY_CLUSTER_HOME") or cache / "cluster" / "state").absolute()
    return Folders(home=cache / "images", socket=state / "run" / "containerd.sock")
