"""The operator's settings: environment ``SLIPWAY_OPERATOR_*``, by platform.

One process reads ``Platform`` to know which of the other two it is about. What a release tells of
its children is no setting but a file: ``platforms.kubernetes.settings``.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class _Environment(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SLIPWAY_OPERATOR_", extra="forbid", frozen=True)


class Platform(_Environment):
    """Where the operator runs."""

    platform: Literal["local", "kubernetes"] = "local"


class Database(_Environment):
    """All that the verb ``schema`` needs, on either platform."""

    dsn: SecretStr


class Settings(_Environment):
    """The local platform. One line a field. ``dsn`` may hold a password, so it prints redacted."""

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
    health_port: int = Field(default=0, ge=0, le=65535, description="on loopback; 0: any free")


class KubernetesSettings(_Environment):
    """The Kubernetes platform: one release in one namespace."""

    dsn: SecretStr
    namespace: str = "slipway"
    platform_file: Path = Path("/etc/slipway/platform.yaml")
    identity: str = Field(default_factory=socket.gethostname, description="the pod's name")
    health_host: str = "0.0.0.0"
    health_port: int = Field(default=8080, ge=0, le=65535)
    kubeconfig: Path | None = Field(default=None, description="outside a cluster")
    service_url: str = "http://{service}.{namespace}.svc.{domain}:{port}"
    workers: int = Field(default=32, ge=1, description="Models reconciled side by side")
    lease_seconds: float = Field(default=15, ge=1, description="until another may lead")
