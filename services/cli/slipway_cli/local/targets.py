"""Whom a Prometheus scrapes in local mode, told in files as processes come and go.

Each gateway process has an address of its own: at the port that they share, a scrape would read
any one of them. A process that has ended leaves its file, so that nothing is counted twice. Jobs
are named as in the chart.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from slipway_cli.local.layout import LocalState

GATEWAY, OPERATOR = "slipway-gateway", "slipway-operator"
WORKER, ENGINES = "slipway-worker", "slipway-engines"


def targets(state: LocalState, living: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """Job → what stands in its file; ``living``: names of processes. Every job is there."""
    addresses = [
        (GATEWAY, f"gateway-{slot}", urlsplit(url).netloc)
        for slot, url in enumerate(state.gateway_urls)
    ]
    addresses += [
        (OPERATOR, "controller", urlsplit(state.operator_url or "").netloc),
        (WORKER, "worker", urlsplit(state.worker_url).netloc),
        (ENGINES, "ray", urlsplit(state.engines_url or "").netloc),
    ]
    found: dict[str, list[dict[str, Any]]] = {
        job: [] for job in (GATEWAY, OPERATOR, WORKER, ENGINES)
    }
    for job, process, address in addresses:
        if address and process in living:
            labels = {"job": job, "process": process}
            found[job].append({"targets": [address], "labels": labels})
    return found


def write_targets(folder: Path, wanted: dict[str, list[dict[str, Any]]]) -> None:
    """Each file whole, and only those that change: Prometheus looks at every write."""
    folder.mkdir(parents=True, exist_ok=True)
    for job, groups in wanted.items():
        file = folder / f"{job}.json"
        text = json.dumps(groups, indent=1)
        if file.exists() and file.read_text() == text:
            continue
        temporary = file.with_suffix(".tmp")
        temporary.write_text(text)
        temporary.replace(file)


def remove_targets(folder: Path) -> None:
    """Nobody is up any more."""
    for file in folder.glob("slipway-*.json"):
        file.unlink(missing_ok=True)
