"""One version as an application in Ray Serve's configuration, and why one failed. Pure.

What both platforms tell Serve, and how they read what it says back. The arguments of a name never
change, and those that Serve has are kept, or an upgrade of Slipway would restart engines: only the
scaling is written anew. Knows neither the REST interface nor RayServices.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from slipway_contracts.backend import (
    BUILDERS,
    ENGINE_DEPLOYMENT,
    BackendArgs,
    parse_failure,
    scaling,
)
from slipway_contracts.conditions import Reason
from slipway_contracts.model import Task
from slipway_operator.core.decision import DesiredBackend

MESSAGE_LIMIT = 500
_ERROR_LINE = re.compile(r"^\s*((?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception|Exit)\b.*)$")
_OUT_OF_MEMORY = re.compile(r"OutOfMemory|out of memory|OOM", re.IGNORECASE)


def application(
    backend: DesiredBackend,
    *,
    prefix: str,
    old: Mapping[str, Any] | None = None,
    cache: str | None = None,
) -> dict[str, Any]:
    """Its entry in the list of applications; ``old`` is the entry that is there already.

    ``cache``: the engine's folder for an artifact of an object store.
    """
    scaled = {"name": ENGINE_DEPLOYMENT, **scaling(backend.serving, backend.replicas)}
    if old is not None:
        return {**old, "deployments": [scaled]}
    args = BackendArgs(
        artifact=backend.artifact,
        artifact_cache=cache,
        model=backend.model,
        version=backend.version,
        serving=backend.serving,
    )
    return {
        "name": backend.name,
        "route_prefix": prefix,
        "import_path": BUILDERS[Task.TEXT_GENERATION],
        "args": args.wire(),
        "deployments": [scaled],
    }


def application_args(config: Mapping[str, Any]) -> BackendArgs | None:
    """The arguments of an entry of ours; None for anybody else's."""
    if config.get("import_path") not in BUILDERS.values():
        return None
    try:
        return BackendArgs.model_validate(config.get("args"))
    except ValidationError:
        return None


def failure_of(texts: Sequence[str]) -> tuple[Reason, str]:
    """Reason and one useful line out of Serve's messages, the most telling first.

    The application's own message often says only which deployment failed; theirs say why.
    """
    for text in texts:
        found = parse_failure(text)
        if found is not None:
            return found
    everything = "\n".join(reversed(texts))
    reason = Reason.OOM_KILLED if _OUT_OF_MEMORY.search(everything) else Reason.STARTUP_FAILED
    return reason, last_line(everything)


def last_line(text: str) -> str:
    """The last error's line of a traceback, else the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors: Iterable[str] = (line for line in reversed(lines) if _ERROR_LINE.match(line))
    return short(next(iter(errors), lines[-1] if lines else "no message; read Ray's logs"))


def short(text: str) -> str:
    """On one line, within what a condition bears."""
    return " ".join(text.split())[:MESSAGE_LIMIT]
