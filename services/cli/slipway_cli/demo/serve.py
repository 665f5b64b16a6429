"""Reads what Ray Serve's REST API says about applications. Pure: a response body in, facts out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSeen:
    """One running replica. A restart is another actor and another process."""

    deployment: str
    replica: str
    pid: int


def replicas_of(body: Mapping[str, Any]) -> dict[str, set[ReplicaSeen]]:
    """``GET /api/serve/applications/`` → application → its running replicas.

    An application that has none yet is listed with an empty set: it exists.
    """
    found: dict[str, set[ReplicaSeen]] = {}
    for name, application in (body.get("applications") or {}).items():
        found[name] = {
            ReplicaSeen(
                deployment=deployment,
                replica=str(replica.get("replica_id", "")),
                pid=int(replica.get("pid") or 0),
            )
            for deployment, details in (application.get("deployments") or {}).items()
            for replica in details.get("replicas") or ()
            if replica.get("state") == "RUNNING"
        }
    return found
