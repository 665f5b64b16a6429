"""What the environment tells the client verbs, and the check that Slipway runs at all."""

from __future__ import annotations

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from slipway_cli.errors import CliError, NotRunning
from slipway_cli.local.layout import Layout, LocalState


class ClientSettings(BaseSettings):
    """``SLIPWAY_API_KEY``: the key that `chat` sends to the gateway."""

    model_config = SettingsConfigDict(env_prefix="SLIPWAY_", extra="ignore")

    api_key: SecretStr | None = None


def require_state(layout: Layout) -> LocalState:
    """The addresses of what runs. Raises NotRunning without them, CliError when unreadable."""
    try:
        state = layout.read_state()
    except ValueError:
        raise CliError(
            f"{layout.state_file} cannot be read as Slipway's state; "
            "run `slipway down`, then `slipway up`"
        ) from None
    if state is None:
        raise NotRunning(
            f"Slipway is not running ({layout.state_file} does not exist): run `slipway up` first"
        )
    return state
