"""What the chart tells the operator of its release: the file ``platform.yaml`` of the anchor.

Names, images and defaults of the children that the operator makes. Read once at the start; what
the operator is told by its environment is in ``slipway_operator.settings``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from slipway_contracts.base import Name, Spec
from slipway_contracts.conditions import Reason
from slipway_operator.errors import Terminal

Quantity = str | int | float
EnvVar = dict[str, Any]


class Images(Spec):
    """What the children run."""

    engine: str
    training: str
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()


class ObjectStore(Spec):
    """An S3-compatible store and the Secret that opens it; without the Secret there is none.

    ``uri``: where finished artifacts go; empty, they stay on the volume, and the store is only
    read by imports.
    """

    uri: str = Field(
        default="", pattern=r"^(s3://[a-z0-9][a-z0-9.-]+(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)?$"
    )
    endpoint: str = Field(default="", pattern=r"^(https?://[^/\s]+)?$")
    region: str = Field(default="us-east-1", min_length=1)
    secret: str = ""
    access_key_key: str = "accessKeyId"
    secret_key_key: str = "secretAccessKey"
    ca_secret: str = ""
    ca_key: str = "ca.crt"
    cache_limit: Quantity = ""

    @model_validator(mode="after")
    def _opened(self) -> ObjectStore:
        if (self.uri or self.endpoint) and not self.secret:
            raise ValueError("artifacts.s3 needs secret: the Secret with the store's keys")
        return self


class Artifacts(Spec):
    """The volume of artifacts (``artifacts/<run>``) and of runs' work (``runs/<run>``).

    With ``s3.uri`` artifacts go to that store, and the volume keeps the runs' work.
    """

    claim: Name = "slipway-artifacts"
    mount_path: str = "/var/lib/slipway"
    s3: ObjectStore = ObjectStore()


class Runs(Spec):
    """Defaults of training, import and evaluation Jobs."""

    service_account: str = "slipway-run"
    threads: int = Field(default=1, ge=1)
    cpu: Quantity = "1"
    memory: Quantity = "2Gi"
    grace_period_seconds: int = Field(default=60, ge=1)
    priority_class: str = ""
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[dict[str, Any], ...] = ()
    env: tuple[EnvVar, ...] = ()


class Head(Spec):
    """Resources of a Ray head that holds no GPU."""

    cpu: Quantity = "1"
    memory: Quantity = "2Gi"


class Engines(Spec):
    """Defaults of RayServices."""

    service_account: str = "slipway-engine"
    ray_version: str = "2.60.0"
    head: Head = Head()
    shm_size: Quantity = "2Gi"
    object_store_bytes: int = Field(default=200_000_000, ge=75_000_000)
    priority_class: str = ""
    env: tuple[EnvVar, ...] = ()


class PlatformConfig(Spec):
    """One release. ``anchor`` is the ConfigMap that RayServices belong to.

    ``cpu_overcommit``: trainings and CPU engines request their cores divided by this, so that a
    small machine holds several that do not all work at once.
    """

    release: Name = "slipway"
    cpu_overcommit: float = Field(default=1.0, ge=1, le=100)
    anchor: Name = "slipway-platform"
    cluster_domain: str = "cluster.local"
    images: Images
    artifacts: Artifacts = Artifacts()
    runs: Runs = Runs()
    engines: Engines = Engines()

    def cpu_request(self, cores: float) -> int:
        """So many cores as a request, in thousandths."""
        return max(1, round(1000 * cores / self.cpu_overcommit))


def read_platform(path: Path) -> PlatformConfig:
    """The parsed file. Terminal, with the field and the file's name, when it is not right."""
    try:
        return PlatformConfig.model_validate(yaml.safe_load(path.read_text()))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise Terminal(
            f"{path} is not a platform description; the chart renders it: {error}",
            reason=Reason.INVALID,
        ) from error
