"""``serveConfigV2`` of a RayService: written for a new backend, read back, rescaled. Pure.

JSON, which is YAML too. One application under the name of its backend; what it was started with is
read from its arguments, so a lost status can be rebuilt. Only the scaling is ever written anew:
other arguments would restart the engine.
"""

from __future__ import annotations

from typing import Any

import orjson
import yaml

from slipway_contracts.backend import BackendArgs
from slipway_operator.core.decision import DesiredBackend
from slipway_operator.platforms.kubernetes.kinds import Body, name_of
from slipway_operator.platforms.serving.applications import application, application_args

SERVE_PORT = 8000
# Longer than clients keep theirs, or a reused connection ends in a reset.
KEEP_ALIVE_SECONDS = 75


def serve_config(backend: DesiredBackend, *, cache: str | None = None) -> str:
    """The whole configuration of a new backend; ``cache`` as ``application``'s."""
    workers = backend.serving.resources.gpu > 0
    return _text(
        {
            "proxy_location": "EveryNode" if workers else "HeadOnly",
            "http_options": {
                "host": "0.0.0.0",
                "port": SERVE_PORT,
                "keep_alive_timeout_s": KEEP_ALIVE_SECONDS,
            },
            "logging_config": {"enable_access_log": False},
            "applications": [application(backend, prefix="/", cache=cache)],
        }
    )


def rescaled(text: str, backend: DesiredBackend) -> str:
    """The configuration that is there, with the scaling of ``backend``; the same text if equal."""
    config = _parse(text)
    entries = config.get("applications") or []
    new = [
        application(backend, prefix="/", old=entry) if entry.get("name") == backend.name else entry
        for entry in entries
    ]
    return text if new == entries else _text(config | {"applications": new})


def args_of(ray_service: Body) -> BackendArgs | None:
    """What the backend was started with; None where it cannot be told."""
    entry = _entry(ray_service)
    return application_args(entry) if entry is not None else None


def floor_of(ray_service: Body) -> int:
    """The fewest replicas that Serve keeps."""
    entry = _entry(ray_service) or {}
    for deployment in entry.get("deployments") or ():
        if "num_replicas" in deployment:
            return int(deployment["num_replicas"])
        return int((deployment.get("autoscaling_config") or {}).get("min_replicas", 1))
    return 1


def _entry(ray_service: Body) -> dict[str, Any] | None:
    config = _parse((ray_service.get("spec") or {}).get("serveConfigV2") or "")
    entries = config.get("applications") or ()
    mine = (entry for entry in entries if entry.get("name") == name_of(ray_service))
    return next(mine, None)


def _parse(text: str) -> dict[str, Any]:
    try:
        config = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            # Somebody edited it by hand.
            config = yaml.safe_load(text)
        except yaml.YAMLError:
            return {}
    return config if isinstance(config, dict) else {}


def _text(config: dict[str, Any]) -> str:
    return orjson.dumps(config, option=orjson.OPT_INDENT_2).decode()
