"""What a real gateway keeps of texts, what it throws away, and what it says about its log."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from gateway_process import GatewayProcess, eventually


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, "<b>hello</b>"),
        ({"log_text_limit": 4}, "<b>h"),
        ({"log_text_policy": "none"}, None),
        ({"log_text_policy": "hashed"}, "sha256:" + hashlib.sha256(b"<b>hello</b>").hexdigest()),
        ({"redact": "html:escape"}, "&lt;b&gt;hello&lt;/b&gt;"),
    ],
    ids=["full", "limit", "none", "hashed", "redacted"],
)
async def test_the_policy_of_the_process(start, v1, to, settings, kept):
    demo = await start(**settings)
    await demo.publish(to(v1))
    _, _, request_id = await demo.ask("<b>hello</b>")
    (row,) = await demo.rows(request_id)
    assert row["input_text"] == kept
    assert (row["output_text"] is None) == (kept is None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("redact", "no_such_module:hide"),
        ("redact", "html"),
        ("log_text_policy", "some"),
        ("log_retention_days", 1),
    ],
)
async def test_what_cannot_work_is_said_at_start(dsn, tmp_path, name, value):
    process = GatewayProcess(dsn, tmp_path, **{name: value}).spawn()
    assert await process.wait() == 78
    assert name in process.log.read_text()


async def test_a_gateway_makes_the_next_days_and_drops_the_old(start, v1, to):
    old = datetime.now(UTC).date() - timedelta(days=9)
    demo = await start(log_retention_days=7, ready=False)
    await demo.pool.execute(
        f"CREATE TABLE request_logs_{old:%Y%m%d} PARTITION OF request_logs "
        f"FOR VALUES FROM ('{old}') TO ('{old + timedelta(days=1)}')"
    )
    await demo.gateway.kill()
    # The first start may have been at it before the old partition was there.
    again = await start(log_retention_days=7, slot="b")

    async def days():
        found = await again.pool.fetch(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits "
            "WHERE inhparent = 'request_logs'::regclass ORDER BY 1"
        )
        return [row["name"].removeprefix("request_logs_") for row in found]

    async def tended():
        found = await days()
        return f"{old:%Y%m%d}" not in found and len(found) == 4

    await eventually(tended, what="three days from now on, and the default")
    await again.publish(to(v1))
    _, _, request_id = await again.ask()
    await again.rows(request_id)
    assert await again.pool.fetchval("SELECT count(*) FROM request_logs_default") == 0


async def test_what_the_log_gave_up_is_in_the_metrics(start, v1, to):
    demo = await start()
    await demo.publish(to(v1))
    await demo.ask()
    async with demo.client.get(demo.gateway.url + "/metrics") as answer:
        text = await answer.text()
    for line in (
        'slipway_log_lost_rows_total{why="disk"} 0.0',
        'slipway_log_lost_rows_total{why="bound"} 0.0',
        'slipway_log_dropped_texts_total{why="bound"} 0.0',
        'slipway_log_dropped_texts_total{why="redaction"} 0.0',
    ):
        assert line in text
