"""What a run takes from its process environment, read in one place.

The launcher of several processes sets torch's own RANK and WORLD_SIZE; whoever starts a run on
several machines sets the variables by which torchrun takes its options (PET_NNODES, PET_NODE_RANK,
PET_MASTER_ADDR, PET_MASTER_PORT); keys of experiment trackers come from secrets.
"""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """This machine's place among those of the run, and where the first one waits for the others."""

    nodes: int = 1
    node: int = 0
    address: str = ""
    port: int = 29500


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """This process's place among the run's processes, and which tracker settings are present."""

    rank: int
    processes: int
    launched: bool
    group: Group = Group()
    has_wandb_key: bool
    has_mlflow_address: bool

    @property
    def is_first(self) -> bool:
        """Whether this process writes the results."""
        return self.rank == 0


def read_environment() -> Environment:
    """The environment as it is now."""
    return Environment(
        rank=int(os.environ.get("RANK", "0")),
        processes=int(os.environ.get("WORLD_SIZE", "1")),
        launched="WORLD_SIZE" in os.environ,
        group=Group(
            nodes=int(os.environ.get("PET_NNODES", "1")),
            node=int(os.environ.get("PET_NODE_RANK", "0")),
            address=os.environ.get("PET_MASTER_ADDR", ""),
            port=int(os.environ.get("PET_MASTER_PORT", "29500")),
        ),
        has_wandb_key=bool(os.environ.get("WANDB_API_KEY"))
        or os.environ.get("WANDB_MODE") in ("offline", "disabled"),
        has_mlflow_address=bool(os.environ.get("MLFLOW_TRACKING_URI")),
    )


def scrubbed(home: str) -> dict[str, str]:
    """An environment for a process that reads untrusted files: no keys, no network wishes."""
    kept = (
        "PATH",
        "LANG",
        "LD_LIBRARY_PATH",
        "OMP_NUM_THREADS",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONPYCACHEPREFIX",
    )
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "HOME": home,
        "TMPDIR": home,
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
    }
