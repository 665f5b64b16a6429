"""The artifact is what the digest pins and holds nothing that runs, or nothing is loaded.

The rule of what a folder may hold is the contract's ``verify_artifact``; here it meets a URI, the
task that the builder serves, and the chat template, which is a program in a small language. Done
twice on purpose: by the builder, so that a bad artifact never gets a replica, and by each replica
as it starts, because files may change in between. What an object store holds is fetched first, by
digest, into the backend's cache. Knows nothing of Ray.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from slipway_artifacts.access import Access, read_access
from slipway_artifacts.address import is_object_store
from slipway_artifacts.errors import StoreError
from slipway_artifacts.fetch import folder_in, obtain, obtain_outline
from slipway_contracts.artifact import (
    ArtifactKind,
    ArtifactRef,
    ArtifactRefused,
    DigestMismatch,
    Manifest,
    verify_artifact,
)
from slipway_contracts.backend import BackendArgs
from slipway_contracts.conditions import Reason
from slipway_engine.errors import Refused

# The longest chat template of a released model is below 20 KiB.
MAX_TEMPLATE_BYTES = 128 << 10
# A pod that restarts while the store is away should outlast it: a refusal ends a candidate.
STORE_PATIENCE = timedelta(minutes=3)
Fetch = Callable[[ArtifactRef, Path, Access], tuple[Path, Manifest]]
_FOREIGN = (nodes.Import, nodes.FromImport, nodes.Include, nodes.Extends)


def verified(
    artifact: ArtifactRef, kind: ArtifactKind, *, cache: str | None = None
) -> tuple[Path, Manifest]:
    """Folder and manifest of an artifact that may be served. Raises Refused with a reason.

    ``cache``: the folder for what an object store holds.
    """
    return _checked(artifact, kind, cache=cache, fetch=obtain)


def outlined(
    artifact: ArtifactRef, kind: ArtifactKind, *, cache: str | None = None
) -> tuple[Path, Manifest]:
    """As ``verified`` for a machine that holds no replica: weights of a store stay there."""
    return _checked(artifact, kind, cache=cache, fetch=obtain_outline)


def _checked(
    artifact: ArtifactRef, kind: ArtifactKind, *, cache: str | None, fetch: Fetch
) -> tuple[Path, Manifest]:
    try:
        folder, manifest = _located(artifact, cache, fetch)
    except DigestMismatch as error:
        raise Refused(str(error), reason=Reason.DIGEST_MISMATCH) from error
    except StoreError as error:
        raise Refused(str(error), reason=Reason.DOWNLOAD_FAILED) from error
    except (ArtifactRefused, OSError) as error:
        raise Refused(str(error), reason=Reason.ARTIFACT_REFUSED) from error
    if manifest.kind != kind:
        raise _refused(f"artifact is of kind {manifest.kind}, this builder serves {kind}")
    for template in chat_templates(folder):
        check_template(template)
    return folder, manifest


def _located(artifact: ArtifactRef, cache: str | None, fetch: Fetch) -> tuple[Path, Manifest]:
    if not is_object_store(artifact.uri):
        folder = folder_of(artifact.uri)
        return folder, verify_artifact(folder, artifact.digest)
    if cache is None:
        raise _refused(f"artifact uri {artifact.uri} is an object store's and there is no cache")
    return fetch(artifact, Path(cache), read_access(patience=STORE_PATIENCE))


def folder_of(uri: str) -> Path:
    """The local folder of a ``file://`` URI; other schemes are fetched before serving."""
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise _refused(f"artifact uri {uri} is not a local file:// folder; import it first")
    return Path(unquote(parts.path))


def served_from(backend: BackendArgs) -> Path:
    """The folder from which each replica loads: the same path on every machine."""
    if backend.artifact_cache is not None and is_object_store(backend.artifact.uri):
        return folder_in(Path(backend.artifact_cache), backend.artifact.digest)
    return folder_of(backend.artifact.uri)


def check_template(source: str) -> None:
    """Refuse a chat template that reaches out of the sandbox or is too large to be one."""
    if len(source.encode()) > MAX_TEMPLATE_BYTES:
        raise _refused(f"chat template is larger than {MAX_TEMPLATE_BYTES} bytes")
    try:
        tree = ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols"]).parse(
            source.replace("{% generation %}", "").replace("{% endgeneration %}", "")
        )
    except (TemplateSyntaxError, RecursionError) as error:
        raise _refused(f"chat template does not parse: {error}") from error
    for node in tree.find_all((*_FOREIGN, nodes.Getattr, nodes.Name, nodes.Const)):
        if isinstance(node, _FOREIGN) or _names(node).startswith("__"):
            raise _refused("chat template imports, includes or touches Python internals")


def _names(node: nodes.Node) -> str:
    match node:
        case nodes.Getattr(attr=str(name)) | nodes.Name(name=str(name)):
            return name
        case nodes.Const(value=str(name)):
            return name
        case _:
            return ""


def chat_templates(folder: Path) -> list[str]:
    """The chat templates that the artifact's tokenizer carries; none for a completion model."""
    path = folder / "tokenizer_config.json"
    content = json.loads(path.read_bytes()) if path.is_file() else None
    found = content.get("chat_template") if isinstance(content, dict) else None
    if isinstance(found, list):
        return [str(entry.get("template", "")) for entry in found if isinstance(entry, dict)]
    return [str(found)] if found else []


def _refused(message: str) -> Refused:
    return Refused(message, reason=Reason.ARTIFACT_REFUSED)
