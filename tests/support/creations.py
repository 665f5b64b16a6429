"""What was ever created in a namespace, by the API server's own audit log."""

from __future__ import annotations

from collections import Counter

from slipway_cluster.controlplane import ControlPlane

CHILDREN = ("jobs", "configmaps", "rayservices", "services")


def creations(plane: ControlPlane, namespace: str) -> Counter[tuple[str, str]]:
    """(plural, name) → how often it was made, children of Slipway's only."""
    made: Counter[tuple[str, str]] = Counter()
    for event in plane.audit_events():
        reference = event.get("objectRef") or {}
        if event["verb"] != "create" or reference.get("namespace") != namespace:
            continue
        if reference.get("subresource") or event.get("responseStatus", {}).get("code") != 201:
            continue
        if reference["resource"] in CHILDREN:
            body = event.get("requestObject") or {}
            name = reference.get("name") or body.get("metadata", {}).get("name", "")
            made[reference["resource"], name] += 1
    return made
