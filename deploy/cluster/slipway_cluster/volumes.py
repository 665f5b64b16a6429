"""The pool of static volumes: folders that any user may write, and the return of released ones.

No provisioner runs in the cluster, so a volume whose claim is gone would stay Released for ever. A
small process of the cluster empties its folder and makes it available again.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from . import addons
from .client import Client
from .errors import ApiError

EVERY_SECONDS = 1.0
MERGE_PATCH = "application/merge-patch+json"
PATH = "/api/v1/persistentvolumes"


def prepare(folder: Path) -> None:
    """A folder a volume, writable by every user: pods run as nobody in particular."""
    for name in addons.volume_sizes():
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name).chmod(0o777)


def empty(folder: Path) -> None:
    """Delete what is in it; a link is removed, never followed."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    folder.chmod(0o777)


def released(listing: dict[str, Any]) -> list[str]:
    """Our volumes whose claim is gone."""
    ours = addons.volume_sizes()
    return [
        name
        for item in listing.get("items", [])
        if (name := item["metadata"]["name"]) in ours
        and item.get("status", {}).get("phase") == "Released"
    ]


def reclaim(client: Client, folder: Path) -> list[str]:
    """Empty every released volume, then let go of its claim; returns their names."""
    names = released(client.request("GET", PATH))
    for name in names:
        empty(folder / name)
        unclaimed = {"spec": {"claimRef": None}}
        client.request("PATCH", f"{PATH}/{name}", unclaimed, content_type=MERGE_PATCH)
    return names


def run(client: Client, folder: Path) -> None:
    """Until killed; what fails now is tried again."""
    while True:
        try:
            for name in reclaim(client, folder):
                print(f"reclaimed {name}", flush=True)
        except (ApiError, OSError) as failed:
            print(f"will try again: {failed}", flush=True)
        time.sleep(EVERY_SECONDS)
