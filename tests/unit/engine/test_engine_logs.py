"""A replica's loggers, with the handlers that Ray Serve and vLLM give them."""

from __future__ import annotations

import io
import json
import logging
import logging.handlers

import pytest
from log_lines import wrong_with

from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.backend import BackendArgs
from slipway_engine.logs import speak

BACKEND = BackendArgs(
    artifact=ArtifactRef(uri="file:///a", digest="sha256:" + "0" * 64), model="m", version="m-v1"
)


@pytest.fixture
def loggers():
    made = [logging.getLogger(name) for name in ("ray.serve", "vllm")]
    kept = [(one.handlers[:], one.propagate, one.level) for one in made]
    for one in made:
        one.handlers, one.propagate = [], False
        one.setLevel(logging.INFO)
    yield made
    for one, (handlers, propagate, level) in zip(made, kept, strict=True):
        one.handlers, one.propagate = handlers, propagate
        one.setLevel(level)


def test_lines_of_ray_and_vllm_are_of_the_schema(loggers):
    serve, vllm = loggers
    written = io.StringIO()
    behind = logging.StreamHandler(written)
    serve.addHandler(logging.handlers.MemoryHandler(1, target=behind))
    vllm.addHandler(logging.StreamHandler(written))
    speak(BACKEND)
    speak(BACKEND)
    serve.info("GET /v1/models 200", extra={"request_id": "r", "serve_access_log": True})
    vllm.warning("two\nlines")
    lines = [json.loads(text) for text in written.getvalue().splitlines()]
    assert [wrong_with(line) for line in lines] == [[], []]
    assert {(line["service"], line["model"], line["version"]) for line in lines} == {
        ("engine", "m", "m-v1")
    }
    assert [line["logger"] for line in lines] == ["ray.serve", "vllm"]
    assert lines[0]["request_id"] == "r"
