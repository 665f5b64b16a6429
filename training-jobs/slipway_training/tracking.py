"""Experiment trackers: off unless asked for; a missing package or key is an error, not silence."""

from __future__ import annotations

from importlib.util import find_spec

from slipway_contracts.training import Tracking
from slipway_training.environment import Environment
from slipway_training.errors import ConfigInvalid


def reporters(tracking: Tracking, environment: Environment) -> list[str]:
    """The Trainer's ``report_to`` for ``tracking``."""
    wanted = [name for name in ("wandb", "mlflow") if getattr(tracking, name)]
    for name in wanted:
        if find_spec(name) is None:
            raise ConfigInvalid(
                f"training.tracking.{name} is on, but the package {name} is not installed; "
                f"install it, or set training.tracking.{name} to false"
            )
    if tracking.wandb and not environment.has_wandb_key:
        raise ConfigInvalid(
            "training.tracking.wandb is on, but WANDB_API_KEY is not set; set it from a secret, "
            "or WANDB_MODE=offline"
        )
    if tracking.mlflow and not environment.has_mlflow_address:
        raise ConfigInvalid(
            "training.tracking.mlflow is on, but MLFLOW_TRACKING_URI is not set; set the address "
            "of the tracking server"
        )
    return wanted
