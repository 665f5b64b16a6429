"""The attempts log: nothing lost, nothing twice, whatever dies."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import Counter

import aiohttp
from free_ports import free_port
from gateway_process import GatewayProcess, eventually
from postgres_proxy import PostgresProxy

from slipway_store.routes import live_heartbeats


class Load:
    """Clients that ask until they are told to stop, and remember every answer that they got."""

    def __init__(self, demo):
        self.demo = demo
        self.answered: dict[str, str] = {}
        self.attempted = 0
        self._stop = False

    async def run(self, clients=8):
        await asyncio.gather(*(self._client(number) for number in range(clients)))

    def stop(self):
        self._stop = True

    async def _client(self, client):
        async with aiohttp.ClientSession() as session:
            number = 0
            while not self._stop:
                number += 1
                request_id = f"{client}-{number}"
                body = self.demo.chat(f"q {request_id}", stream=number % 3 == 0)
                self.attempted += 1
                try:
                    async with session.post(
                        self.demo.gateway.url + "/v1/chat/completions",
                        data=body,
                        headers={"x-request-id": request_id},
                    ) as answer:
                        await answer.read()
                        if answer.status == 200:
                            self.answered[request_id] = answer.headers["x-slipway-version"]
                except (aiohttp.ClientError, ConnectionError):
                    await asyncio.sleep(0.05)


async def ledger(demo, load):
    """Wait until every answered request has a row; then (missing, doubled, wrong version)."""

    async def rows():
        found = await demo.pool.fetch("SELECT request_id, attempt, version FROM request_logs")
        return found if load.answered.keys() <= {row["request_id"] for row in found} else None

    found = await eventually(rows, what="every answered request in the log")
    counts = Counter((row["request_id"], row["attempt"]) for row in found)
    last = {row["request_id"]: row["version"] for row in sorted(found, key=lambda r: r["attempt"])}
    doubled = [key for key, count in counts.items() if count > 1]
    wrong = [i for i, version in load.answered.items() if last[i] != version]
    return doubled, wrong


async def test_one_of_two_processes_is_killed_and_the_other_asked_to_end(start, v1, v2, to):
    port = free_port()
    demo = await start(port=port, slot="a")
    other = await start(port=port, slot="b")
    await demo.publish(to(v2, 30, "candidate"), to(v1, 70))
    load = Load(demo)
    running = asyncio.create_task(load.run())
    await eventually(lambda: len(load.answered) > 300, what="traffic")

    await demo.gateway.kill()
    before = len(load.answered)
    await eventually(lambda: len(load.answered) > before + 200, what="traffic on the other")
    again = await start(port=port, slot="a")
    assert await other.gateway.stop() == 0
    before = len(load.answered)
    await eventually(lambda: len(load.answered) > before + 200, what="traffic on the new one")
    load.stop()
    await running

    doubled, wrong = await ledger(demo, load)
    assert (doubled, wrong) == ([], [])
    beats = {beat.gateway for beat in await live_heartbeats(demo.pool)}
    assert beats == {"a"}
    assert await again.gateway.stop() == 0
    left = await demo.pool.fetch("SELECT * FROM gateways")
    assert left == []


async def test_what_a_killed_process_could_not_ship_comes_with_the_next(start, dsn, v1, to):
    async with PostgresProxy(dsn) as proxy:
        demo = await start(own_dsn=proxy.dsn)
        await demo.publish(to(v1))
        await proxy.shut()
        answers = [await demo.ask(f"q{number}") for number in range(30)]
        assert {status for status, _, _ in answers} == {200}
        await demo.gateway.kill()
        # A torn line, as of a machine that lost power in the middle of a write.
        segment = max((demo.gateway.log.parent / "0").glob("*.seg"))
        with segment.open("ab") as file:
            file.write(b"\xf1SLa\x63\0\0\0\xff\0\0\0torn")
        assert await demo.pool.fetchval("SELECT count(*) FROM request_logs") == 0

        # PostgreSQL still away: the routes come from the copy, and the service goes on.
        again = await start(own_dsn=proxy.dsn)
        again.model = demo.model
        answers.append(await again.ask("without PostgreSQL"))
        await proxy.restore()
        for status, _, request_id in answers:
            assert status == 200
            assert len(await again.rows(request_id)) == 1
        folder = again.gateway.log.parent / "0"
        await eventually(lambda: len(list(folder.glob("*.seg"))) == 1, what="old segment dropped")


async def test_a_start_without_postgresql_and_without_a_copy_is_not_ready(start, dsn, v1, to):
    async with PostgresProxy(dsn) as proxy:
        await proxy.shut()
        demo = await start(own_dsn=proxy.dsn, ready=False)
        state = await eventually(demo.gateway.state, what="an answer")
        assert (state["ready"], state["routesLoaded"], state["fenced"]) == (False, False, True)
        await proxy.restore()
        await demo.gateway.ready()
        await demo.publish(to(v1))
        assert (await demo.ask())[0] == 200


async def test_a_database_that_is_migrated_later(start, empty_dsn):
    from postgres_server import in_thread

    from slipway_store.migrate import migrate

    demo = await start(own_dsn=empty_dsn, ready=False)
    state = await eventually(demo.gateway.state, what="an answer")
    assert not state["ready"]
    in_thread(lambda: asyncio.run(migrate(empty_dsn)))
    await demo.gateway.ready()


async def test_sigterm_lets_streams_finish(start, v1, to):
    demo = await start(drain_delay=0.5)
    await demo.publish(to(v1))
    v1.script.chunk_delay, v1.script.chunks = 0.1, 20
    async with demo.post(demo.chat(stream=True)) as answer:
        await answer.content.readany()
        demo.gateway.signal(signal.SIGTERM)

        async def draining():
            state = await demo.gateway.state()
            return state if state and not state["ready"] else None

        assert (await eventually(draining, what="not ready"))["draining"]
        text = await answer.text()
    assert text.endswith("data: [DONE]\n\n")
    assert await demo.gateway.wait() == 0
    # Shipped before the end: nobody is there to ship it later.
    (row,) = await demo.rows(answer.headers["x-request-id"])
    assert (row["error"], row["finish_reason"]) == (False, "stop")


async def test_a_gateway_that_drains_asks_its_clients_to_connect_anew(start, v1, to):
    demo = await start(drain_delay=30)
    await demo.publish(to(v1))
    demo.gateway.signal(signal.SIGTERM)

    async def asked():
        async with demo.post(demo.chat()) as answer:
            assert answer.status == 200
            return answer.headers.get("connection") == "close"

    assert await eventually(asked, what="connection: close")


async def test_a_gateway_that_ends_while_postgresql_restarts_ships_its_log_first(
    start, dsn, v1, to
):
    async with PostgresProxy(dsn) as proxy:
        demo = await start(own_dsn=proxy.dsn, flush_timeout=100)
        await demo.publish(to(v1))
        await proxy.shut()
        status, _, request_id = await demo.ask("nobody takes this row now")
        assert status == 200
        demo.gateway.signal(signal.SIGTERM)
        waits = "the rest of the log waits for PostgreSQL"
        await eventually(lambda: waits in demo.gateway.log.read_text(), what="the wait")
        await proxy.restore()
        assert await demo.gateway.wait() == 0
        assert len(await demo.rows(request_id)) == 1


async def test_a_gateway_that_ends_beside_a_frozen_postgresql_does_not_wait_for_it(
    start, dsn, v1, to
):
    async with PostgresProxy(dsn) as proxy:
        demo = await start(own_dsn=proxy.dsn, flush_timeout=1, slot="left")
        await demo.publish(to(v1))
        proxy.freeze()
        status, _, request_id = await demo.ask("its row stays in the segment")
        assert status == 200
        demo.gateway.signal(signal.SIGTERM)
        assert await demo.gateway.wait() == 0
        assert "the rest of the log waits for the next start" in demo.gateway.log.read_text()
    demo = await start(slot="left")
    assert len(await demo.rows(request_id)) == 1


async def test_a_stream_that_outlives_the_grace_is_cut_and_logged(start, v1, to):
    demo = await start(shutdown_grace=1)
    await demo.publish(to(v1))
    v1.script.chunk_delay, v1.script.chunks = 0.05, 10_000
    async with demo.post(demo.chat(stream=True)) as answer:
        await answer.content.readany()
        demo.gateway.signal(signal.SIGTERM)
        with contextlib.suppress(aiohttp.ClientError):
            await answer.read()
    assert await demo.gateway.wait() == 0
    (row,) = await demo.rows(answer.headers["x-request-id"])
    assert row["client_gone"]


async def test_a_slot_has_one_process_and_a_typo_is_an_error(start, dsn, tmp_path):
    await start(slot="a")
    for wrong in ({"slot": "a"}, {"slot": "b", "body_limits": 3}, {"slot": "c", "port": 99999}):
        second = GatewayProcess(dsn, tmp_path, **wrong).spawn()
        assert await second.wait() == 78
    log = (tmp_path / "gateway-b.log").read_text()
    assert "SLIPWAY_GATEWAY_BODY_LIMITS" in log


async def test_the_fence(start, dsn, v1, v2, to):
    """PostgreSQL does not answer (it is not even down): ten seconds later no candidate traffic."""
    async with PostgresProxy(dsn) as proxy:
        demo = await start(own_dsn=proxy.dsn)
        await demo.publish(to(v2, 90, "candidate"), to(v1, 10))
        assert (await demo.ask())[1] == "v2"
        proxy.freeze()

        async def fenced():
            status, version, _ = await demo.ask()
            assert status == 200
            return version == "v1"

        await eventually(fenced, what="the fence")
        assert (await demo.gateway.state())["fenced"]
        assert {(await demo.ask(f"q{number}"))[1] for number in range(20)} == {"v1"}
        await proxy.restore()

        async def open_again():
            return (await demo.ask())[1] == "v2"

        await eventually(open_again, what="the candidate's return")
        _, _, request_id = await demo.ask("shipped after all")
        assert await demo.rows(request_id)
