"""Ready-made weights in an object store: what lies below an ``s3://`` URI, brought into WORK.

Only what may be imported is brought at all: one name that may not refuses the whole source before
a byte of it travels. Whether the files are what they should be is checked after, as for a folder.
"""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

from slipway_artifacts.access import read_access
from slipway_artifacts.address import Address, parse_address
from slipway_artifacts.errors import Missing
from slipway_artifacts.fetch import read_manifest
from slipway_artifacts.objects import Objects
from slipway_contracts.artifact import MANIFEST_NAME, check_name
from slipway_training.shipping import telling_apart
from slipway_training.sources import CHAT_TEMPLATE, left_behind

CHECKPOINTS = (".pt", ".pth")
MOST_OBJECTS = 10_000


def holds_artifact(uri: str) -> bool:
    """Whether a Slipway artifact is complete at ``uri``."""
    with telling_apart():
        return Objects(parse_address(uri), read_access()).exists(MANIFEST_NAME)


def stored_digest(uri: str) -> str:
    """The digest of the artifact that is at ``uri`` now."""
    with telling_apart():
        return read_manifest(uri, read_access())[0]


def bring(uri: str, target: Path) -> Path:
    """The folder of what lies below ``uri``; for a checkpoint its file, with its neighbours."""
    with telling_apart():
        address, besides = _taken_apart(parse_address(uri))
        objects = Objects(address, read_access())
        found = objects.names(most=MOST_OBJECTS)
        wanted = {name: size for name, size in found.items() if _wanted(name, besides)}
        if not wanted or (besides and besides not in wanted):
            raise Missing(f"{uri}: nothing is there; correct the uri")
        shutil.rmtree(target, ignore_errors=True)
        for name, size in wanted.items():
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            objects.download(name, path, size=size)
    return target / besides if besides else target


def _taken_apart(address: Address) -> tuple[Address, str]:
    path = PurePosixPath(address.prefix)
    if path.suffix not in CHECKPOINTS:
        return address, ""
    parent = "" if path.parent == PurePosixPath() else str(path.parent)
    return Address(bucket=address.bucket, prefix=parent), path.name


def _wanted(name: str, besides: str) -> bool:
    if not name or name.endswith("/") or left_behind(name):
        return False
    if name not in (besides, CHAT_TEMPLATE):
        check_name(name)
    return True
