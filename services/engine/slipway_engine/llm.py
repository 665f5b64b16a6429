"""A text-generation version as a Ray Serve application: ``slipway_engine.llm:build``.

Named as ``import_path`` in Serve's declarative configuration. Refuses the artifact before any
replica exists; the rest is Ray Serve LLM's own deployment. vLLM's own OpenAI application answers
in the replica itself: Ray's separate ingress would be one more process with all of vLLM in memory
(640 MB and 20 s of start for each version) and one more hop for every token.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ray import serve
from ray.serve import Application
from ray.serve.llm import LLMConfig, build_llm_deployment

from slipway_contracts.backend import ENGINE_DEPLOYMENT, BackendArgs
from slipway_contracts.conditions import Reason
from slipway_engine.errors import Refused
from slipway_engine.ready import LocalArtifact, VerifiedLLMServer
from slipway_engine.settings import TRACES_ENDPOINT, llm_config
from slipway_engine.verify import outlined, served_from, verified


def build(args: dict[str, Any]) -> Application:
    """``BackendArgs`` in wire form → the application. Raises Refused with a reason."""
    try:
        backend = BackendArgs.model_validate(args)
    except ValidationError as error:
        raise Refused(f"arguments: {error}", reason=Reason.INVALID) from error
    model = json.loads((_checked_folder(backend) / "config.json").read_bytes())
    config = LLMConfig(
        **llm_config(
            backend,
            served_from(backend),
            model=model,
            traces=os.environ.get(TRACES_ENDPOINT, ""),
        ),
        callback_config={"callback_class": LocalArtifact},
    )
    prefix, _, _ = ENGINE_DEPLOYMENT.partition(":")
    return build_llm_deployment(
        config,
        name_prefix=f"{prefix}:",
        bind_kwargs={"backend": backend.wire()},
        deployment_cls=serve.ingress()(VerifiedLLMServer),
    )


def _checked_folder(backend: BackendArgs) -> Path:
    """On the CPU the engine is on this machine; with GPUs this is a head's, without weights."""
    check = outlined if backend.serving.resources.gpu else verified
    return check(backend.artifact, "text-generation", cache=backend.artifact_cache)[0]
