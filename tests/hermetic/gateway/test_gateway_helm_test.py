"""What `helm test` runs, run here: the chart's script against a real gateway and a fake engine."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from gateway_process import eventually

from slipway_store.keys import load_keys

SCRIPT = Path(__file__).parents[3] / "charts" / "slipway" / "files" / "helm_test.py"
SECRET = "slw_0123456789ab_" + "x" * 43


async def helm_test(url: str, *, key: str, models: str, seconds: float) -> tuple[int, str]:
    """Exit code and output, with the environment that the chart's pod has."""
    variables = {"URL": url, "KEY": key, "MODELS": models, "TIMEOUT_SECONDS": str(seconds)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SCRIPT.read_text("utf-8")),
        env=variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.fixture
async def served(start, v1, to):
    """As in a cluster: no call without a key, one Model, the first key stored."""
    demo = await start(keyless_loopback="false", first_key=SECRET)
    await demo.publish(to(v1))

    async def stored():
        return await load_keys(demo.pool)

    await eventually(stored, what="the first key")
    return demo


async def test_every_model_answers(served):
    code, output = await helm_test(served.gateway.url, key=SECRET, models=served.model, seconds=120)
    assert code == 0, output
    assert "/v1/chat/completions 200" in output


async def test_a_model_that_is_not_served_fails_by_name(served):
    code, output = await helm_test(served.gateway.url, key=SECRET, models="absent", seconds=1)
    assert code == 1
    assert "/v1/chat/completions: 404 instead of 200" in output
    assert "absent" in output


async def test_without_a_key_a_call_must_be_refused(served):
    code, output = await helm_test(served.gateway.url, key="", models=served.model, seconds=120)
    assert code == 0, output
    assert "/v1/models 401" in output


async def test_nobody_there(served):
    await served.gateway.stop()
    code, output = await helm_test(served.gateway.url, key=SECRET, models="", seconds=1)
    assert code == 1
    assert "/ready: 0 instead of 200" in output
