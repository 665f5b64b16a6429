"""OpenAI's own Node client against the gateway and straight against the engine: same results."""

from __future__ import annotations

from gateway_process import eventually
from node_client import needs_node, node

from slipway_contracts.model import Task

pytestmark = needs_node
SLOW = 10_000


async def test_every_call_gives_what_the_engine_gives(demo, v1, to):
    await demo.publish(to(v1))
    text = demo.model
    demo.model = embedder = text + "-embedder"
    await demo.publish(to(v1), task=Task.EMBEDDING)
    through = await node("engine", demo.gateway.url, text, embedder)
    straight = await node("engine", v1.url, text, embedder)
    assert through == straight
    assert len(through) == 15
    assert (through["wrong"]["kind"], through["broken"]["status"]) == ("BadRequestError", 500)


async def test_what_the_gateway_adds(demo, v1, to):
    await demo.publish(to(v1))
    got = await node("own", demo.gateway.url, demo.model)
    assert demo.model in got["models"]
    assert got["model"]["id"] == demo.model
    response = got["response"]
    assert (response["status"], response["output_text"]) == ("completed", "word " * 4 + "word")
    assert got["call"]["output"][0]["name"] == "weather"
    assert (got["events"][0], got["events"][-1]) == ("response.created", "response.completed")
    assert got["helped"] == "word " * 5
    assert [got[name] for name in ("unknown", "field", "refused")] == [
        {"kind": "NotFoundError", "status": 404, "param": "model"},
        {"kind": "BadRequestError", "status": 400, "param": "messages"},
        {"kind": "BadRequestError", "status": 400, "param": "previous_response_id"},
    ]


async def test_streams_that_are_left_stop_the_engine(demo, v1, to):
    await demo.publish(to(v1))
    v1.script.chunk_delay, v1.script.chunks = 0.05, SLOW
    left = await node("leave", demo.gateway.url, demo.model)
    assert len(set(left)) == 3
    await eventually(lambda: sorted(v1.calls.aborted) == sorted(left), what="the aborts")
    for request_id in left:
        (row,) = await demo.rows(request_id)
        assert row["client_gone"]
