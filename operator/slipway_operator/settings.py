"""The controller's settings: environment ``SLIPWAY_OPERATOR_*``, unknown ones refused."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """One line a field. ``dsn`` may hold a password, so it prints redacted."""

    model_config = SettingsConfigDict(env_prefix="SLIPWAY_OPERATOR_", extra="forbid", frozen=True)

    dsn: SecretStr
    home: Path
    serve_url: str = "http://127.0.0.1:8100"
    dashboard_url: str = "http://127.0.0.1:8265"
    namespace: str = "default"
    max_engines: int = Field(default=2, ge=1, description="engines at a time on this machine")
    max_runs: int = Field(default=2, ge=1, description="training and evaluation runs at a time")
    run_threads: int = Field(default=1, ge=1, description="compute threads of a run")
    run_niceness: int = Field(default=15, ge=0, le=19, description="so that serving goes first")
    workers: int = Field(default=4, ge=1, description="Models reconciled side by side")
