"""Files and batches by OpenAI's own Node client."""

from __future__ import annotations

from answer_site import Site
from node_client import needs_node, node

pytestmark = needs_node


async def test_a_batch_is_run_and_read(site: Site) -> None:
    await site.work()
    got = await node("batch", site.gateway.url, "demo")
    assert (got["status"], got["listed"], got["deleted"]) == ("completed", True, True)
    assert got["counts"] == {"total": 2, "completed": 1, "failed": 1}
    assert (got["file"]["object"], got["file"]["filename"]) == ("file", "in.jsonl")
    assert got["output"]["custom_id"] == "r0"
    assert got["output"]["response"]["body"]["choices"][0]["message"]["content"]
    assert (got["errors"]["custom_id"], got["errors"]["response"]["status_code"]) == ("r1", 400)
