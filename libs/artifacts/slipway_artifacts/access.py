"""Where the object store is and who we are there: read from the environment in one place.

The variables are those that every S3 client knows, so that a Secret, a workload identity or a
developer's shell serve as they are: AWS_ENDPOINT_URL, AWS_REGION, AWS_CA_BUNDLE here;
credentials are read by the client itself and never pass through this code.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

# Any one of them is an identity. The node's own (its metadata service) is none of ours to use.
_IDENTITIES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)
# A store's pod that is rescheduled is back within this; waiting longer hides a wrong address.
PATIENCE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """``endpoint`` empty: AWS itself. ``patience``: how long what may pass is tried again."""

    endpoint: str = ""
    region: str = "us-east-1"
    ca_bundle: Path | None = None
    identified: bool = True
    patience: timedelta = PATIENCE

    @property
    def where(self) -> str:
        """The store in words, for messages."""
        return self.endpoint or f"AWS S3 in {self.region}"


def read_access(
    environment: Mapping[str, str] = os.environ, *, patience: timedelta = PATIENCE
) -> Access:
    """The environment as it is now."""
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or ""
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    bundle = environment.get("AWS_CA_BUNDLE")
    return Access(
        endpoint=endpoint,
        region=region or "us-east-1",
        ca_bundle=Path(bundle) if bundle else None,
        identified=any(environment.get(name) for name in _IDENTITIES),
        patience=patience,
    )
