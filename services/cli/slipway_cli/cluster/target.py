"""Which cluster is meant: flags before the verb, else ``SLIPWAY_CONTEXT``, ``SLIPWAY_KUBECONFIG``
and ``SLIPWAY_NAMESPACE``. Without a context or a kubeconfig it is local mode.
"""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class ClusterTarget(BaseSettings):
    """None of these: the kubeconfig's own (``KUBECONFIG``, current context, its namespace)."""

    model_config = SettingsConfigDict(env_prefix="SLIPWAY_", extra="ignore", frozen=True)

    context: str | None = None
    kubeconfig: Path | None = None
    namespace: str | None = None

    @property
    def chosen(self) -> bool:
        """Whether it is a cluster at all."""
        return self.context is not None or self.kubeconfig is not None

    def __str__(self) -> str:
        named = f"context {self.context}" if self.context else "the current context"
        return f"{named} of {self.kubeconfig}" if self.kubeconfig else named
