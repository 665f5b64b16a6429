"""Everything that can be set about one worker process, read from ``SLIPWAY_WORKER_*``.

The only place that looks at the environment. Times are seconds. Unknown names are refused, so that
a typo does not silently keep a default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from slipway_store.keys import id_of

PREFIX = "SLIPWAY_WORKER_"
Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """One process's settings; see each field."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, hide_input_in_errors=True)

    dsn: SecretStr = Field(description="PostgreSQL of the queue")
    gateway_url: str = Field(
        pattern=r"^https?://[^/?#\s]+$", description="where every answer comes from, without a path"
    )
    api_key: SecretStr | None = Field(
        default=None, description="the worker's own key; empty: keyless, from loopback only"
    )
    host: str = "127.0.0.1"
    port: int = Field(default=8090, ge=0, le=65_535, description="health and metrics")

    concurrency: int = Field(default=16, ge=1, le=1000, description="jobs that run here at once")
    tenant_concurrency: int = Field(
        default=8, ge=0, description="jobs of one kind and tenant over all workers; 0: no limit"
    )
    max_attempts: int = Field(default=8, ge=1, description="a job that failed so often is dead")
    retry_delay: Seconds = Field(default=1, description="after the first failure; then it doubles")
    retry_delay_limit: Seconds = 300
    patience: Seconds = Field(
        default=86_400, description="a job that is refused for so long (429, 503) is dead"
    )
    time_limit: Seconds = Field(default=900, description="for one attempt at a job")
    heartbeat_timeout: Seconds = Field(
        default=30, description="a worker that is silent for so long loses its jobs to the others"
    )
    line_limit: int = Field(
        default=8 * 1024 * 1024,
        ge=1024,
        description="bytes of one line of a batch's file; as the gateway's body_limit",
    )
    poll_interval: Seconds = Field(default=5, description="where no notification comes")
    shutdown_grace: Seconds = Field(
        default=30, description="for running jobs after SIGTERM; then they are given back"
    )
    flush_timeout: Seconds = Field(default=10, description="for the last results after that")
    cache_age: Seconds = Field(default=30 * 86_400, description="cached answers are kept so long")

    @field_validator("api_key")
    @classmethod
    def _is_a_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and id_of(key.get_secret_value()) is None:
            raise ValueError("must be of the form slw_<12 hex digits>_<20 to 100 characters>")
        return key

    @model_validator(mode="after")
    def _is_ordered(self) -> Settings:
        if self.retry_delay_limit < self.retry_delay:
            raise ValueError("retry_delay_limit must not be below retry_delay")
        return self

    def redacted(self) -> dict[str, Any]:
        """For the log line at start."""
        return self.model_dump(mode="json")


def load_settings() -> Settings:
    """From the environment. Raises ValueError that names the setting."""
    reject_unknown(os.environ)
    return Settings()


def reject_unknown(environ: Mapping[str, str]) -> None:
    """Raise ValueError for a ``SLIPWAY_WORKER_`` name that no field has."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    wrong = sorted(n for n in map(str.upper, environ) if n.startswith(PREFIX) and n not in known)
    if wrong:
        raise ValueError(f"unknown setting {', '.join(wrong)}; known: {', '.join(sorted(known))}")
