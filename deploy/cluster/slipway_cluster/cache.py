"""Where everything lies: one cache folder for what is expensive, one state folder for what runs.

The cache (binaries, image store) outlives ``down``; the state folder does not. Both are outside the
checkout, so that a clean checkout starts as fast as a used one. The only file that reads the
environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """Folders of one cluster; nothing is created here."""

    cache: Path
    state: Path

    @property
    def binaries(self) -> Path:
        """Built tools, named ``<tool>-<version>``."""
        return self.cache / "bin"

    @property
    def build(self) -> Path:
        """A throw-away Go module for each tool."""
        return self.cache / "build"

    @property
    def images(self) -> Path:
        """Image archives made by the cluster itself (pause, KubeRay operator)."""
        return self.cache / "cluster" / "images"

    @property
    def containerd(self) -> Path:
        """containerd's content and snapshots: imported images survive ``down``."""
        return self.cache / "cluster" / "containerd"

    @property
    def admin(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "admin.conf"


def folders(environment: Mapping[str, str] | None = None) -> Folders:
    """``SLIPWAY_CACHE`` and ``SLIPWAY_CLUSTER_HOME`` override the defaults."""
    given = os.environ if environment is None else environment
    home = Path(given.get("HOME") or "~").expanduser()
    base = Path(given.get("XDG_CACHE_HOME") or home / ".cache")
    cache = Path(given.get("SLIPWAY_CACHE") or base / "slipway").absolute()
    state = Path(given.get("SLIPWAY_CLUSTER_HOME") or cache / "cluster" / "state").absolute()
    return Folders(cache=cache, state=state)
