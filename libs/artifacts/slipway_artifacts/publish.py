"""A finished artifact folder into the store: every file, then the manifest.

Readers begin with the manifest, so what was only half sent is no artifact. Started again after a
crash, files that are there already are not sent twice, and one that is there wholly is left alone.
Another artifact's address is never written to.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from slipway_artifacts.access import Access
from slipway_artifacts.address import parse_address
from slipway_artifacts.errors import Missing, Occupied, StoreError
from slipway_artifacts.fetch import read_manifest
from slipway_artifacts.objects import Objects
from slipway_contracts.artifact import MANIFEST_NAME, ArtifactRef, verify_artifact

# An empty object that is there while an artifact is being made.
MARK = ".writing"


def publish(
    folder: Path,
    uri: str,
    access: Access,
    *,
    digest: str,
    before_each: Callable[[], None] = lambda: None,
) -> ArtifactRef:
    """Copy the artifact in ``folder`` to ``uri``; returns where it is now.

    ``before_each`` is called before each file and may raise to stop. Raises StoreError, or
    ArtifactRefused when the folder is not the artifact that ``digest`` names.
    """
    address = parse_address(uri)
    objects = Objects(address, access)
    ref = ArtifactRef(uri=address.uri(), digest=digest)
    if _is_there(ref, access):
        return ref
    manifest = verify_artifact(folder, digest)
    for entry in manifest.files:
        before_each()
        if not objects.holds(entry.path, size=entry.size, sha256=entry.sha256):
            objects.upload(entry.path, folder / entry.path, sha256=entry.sha256)
    objects.write(MANIFEST_NAME, (folder / MANIFEST_NAME).read_bytes())
    _unmark(objects)
    return ref


def mark(uri: str, access: Access) -> None:
    """Write the mark: who may not write there learns it before the work, not after it."""
    Objects(parse_address(uri), access).write(MARK, b"")


def _unmark(objects: Objects) -> None:
    try:
        objects.delete(MARK)
    except StoreError:
        # The artifact is whole; rights without deletion are good practice for its store.
        return


def _is_there(ref: ArtifactRef, access: Access) -> bool:
    try:
        found, _ = read_manifest(ref.uri, access)
    except Missing:
        return False
    if found != ref.digest:
        raise Occupied(
            f"{ref.uri} holds an artifact of digest {found}, not {ref.digest}; artifacts are never "
            "overwritten: set spec.retry.id for another address, or delete what is there"
        )
    return True
