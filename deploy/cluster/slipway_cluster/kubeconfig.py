"""Kubeconfig files, self-contained (certificates embedded) and written as JSON, which is YAML."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from .pki import Certificate


def rendered(*, url: str, authority: Path, user: dict[str, Any], namespace: str) -> str:
    """One cluster, one user, one context."""
    context = {"cluster": "slipway", "user": "user", "namespace": namespace}
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "slipway",
        "clusters": [
            {
                "name": "slipway",
                "cluster": {"server": url, "certificate-authority-data": _embedded(authority)},
            }
        ],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "slipway", "context": context}],
    }
    return json.dumps(body, indent=1) + "\n"


def by_certificate(certificate: Certificate) -> dict[str, Any]:
    """A user that shows a client certificate."""
    return {
        "client-certificate-data": _embedded(certificate.certificate),
        "client-key-data": _embedded(certificate.key),
    }


def by_token(token: str) -> dict[str, Any]:
    """A user that shows a bearer token."""
    return {"token": token}


def write(
    path: Path, *, url: str, authority: Path, user: dict[str, Any], namespace: str = "default"
) -> Path:
    """Write it for its owner only."""
    path.touch(mode=0o600)
    path.write_text(rendered(url=url, authority=authority, user=user, namespace=namespace), "utf-8")
    return path


def _embedded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
