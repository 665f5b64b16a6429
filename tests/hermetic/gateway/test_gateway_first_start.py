"""A cluster's first minute: gateways, PostgreSQL and its schema come in any order."""

from __future__ import annotations

import aiohttp
import pytest
from gateway_process import GatewayProcess, eventually

from slipway_gateway.settings import Settings
from slipway_store.connect import open_pool
from slipway_store.keys import list_keys, revoke_key
from slipway_store.migrate import migrate

SECRET = "slw_0123456789ab_" + "x" * 43


@pytest.fixture
async def started(empty_dsn, tmp_path):
    """Gateways on a database without any table, ended after the test."""
    running: list[GatewayProcess] = []

    def start(slot: str) -> GatewayProcess:
        settings = {"keyless_loopback": "false", "first_key": SECRET}
        running.append(GatewayProcess(empty_dsn, tmp_path, slot=slot, **settings).spawn())
        return running[-1]

    yield start
    for gateway in running:
        await gateway.stop()


async def status_of(gateway: GatewayProcess, path: str) -> int:
    async with (
        aiohttp.ClientSession(headers={"authorization": f"Bearer {SECRET}"}) as session,
        session.get(gateway.url + path) as answer,
    ):
        return answer.status


async def test_gateways_wait_for_the_schema_and_store_the_first_key_once(started, empty_dsn):
    gateways = [started("a"), started("b")]
    for gateway in gateways:
        state = await eventually(gateway.state, what="an answer")
        assert not state["ready"]
        assert await status_of(gateway, "/health") == 200
        assert await status_of(gateway, "/ready") == 503
        # Not 401: the key may be good, nobody knows yet.
        assert await status_of(gateway, "/v1/models") == 503
    await migrate(empty_dsn)
    for gateway in gateways:
        await gateway.ready()

        async def admitted(gateway=gateway):
            return await status_of(gateway, "/v1/models") == 200

        await eventually(admitted, what="the first key")
        assert SECRET not in gateway.log.read_text()
    async with await open_pool(empty_dsn) as pool:
        (record,) = await list_keys(pool)
        assert record.name == "first"
        await revoke_key(pool, record.id)
        late = started("c")
        await late.ready()

        async def refused():
            return await status_of(late, "/v1/models") == 401

        await eventually(refused, what="the revocation")
        assert len(await list_keys(pool)) == 1


def test_a_first_key_of_another_form_is_refused_without_showing_it():
    with pytest.raises(ValueError, match="slw_<12 hex digits>") as refused:
        Settings(dsn="postgresql://nobody@/x", first_key="hunter2")
    assert "hunter2" not in str(refused.value)
