"""The systems of the queue benchmark, each as its own process: ``queues.py SYSTEM EFFECT DSN``.

A job's effect is a row in ``effects`` (EFFECT ``row``) or nothing (``none``). ``ours`` is the
product's worker with a kind of that sort, ``pgqueuer`` its bare library as its guide has it, with
the effect in the job's function, ``procrastinate`` the other library, likewise. Ours stores each
effect exactly once; theirs may store one twice when they are killed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Any

CONCURRENCY = 64
INSERT = "INSERT INTO effects (job) VALUES ($1)"


def ours(effect: str, dsn: str) -> int:
    """``slipway_worker`` with its own settings, but for how many jobs run at once."""
    from slipway_store.connect import Connection, Pool
    from slipway_worker.__main__ import main
    from slipway_worker.gateway import GatewayClient
    from slipway_worker.kinds import Dead, Finished, Job, Kind
    from slipway_worker.settings import Settings

    class Rows:
        name = "bench"
        rank = 0

        async def run(self, job: Job) -> None:
            return None

        async def store(self, connection: Connection, finished: Sequence[Finished]) -> None:
            if effect == "row":
                await connection.execute(
                    "INSERT INTO effects (job) SELECT unnest($1::bigint[])",
                    [one.job.id for one in finished],
                )

        async def fail(self, connection: Connection, dead: Sequence[Dead]) -> None:
            raise AssertionError("no job of the benchmark fails")

    def kinds(settings: Settings, pool: Pool, gateway: GatewayClient) -> list[Kind]:
        return [Rows()]

    os.environ["SLIPWAY_WORKER_DSN"] = dsn
    os.environ["SLIPWAY_WORKER_GATEWAY_URL"] = "http://127.0.0.1:9"
    os.environ["SLIPWAY_WORKER_PORT"] = "0"
    os.environ["SLIPWAY_WORKER_CONCURRENCY"] = str(CONCURRENCY)
    return main(kinds)


async def pgqueuer(effect: str, dsn: str) -> None:
    """A QueueManager over a pool."""
    import asyncpg
    from pgqueuer import AsyncpgPoolDriver, Job, Queries, QueueManager

    async with asyncpg.create_pool(dsn, min_size=8, max_size=8) as pool:
        manager = QueueManager(Queries(AsyncpgPoolDriver(pool)))

        @manager.entrypoint("bench:acme")
        async def bench(job: Job) -> None:
            if effect == "row":
                await pool.execute(INSERT, job.id)

        await manager.run(batch_size=CONCURRENCY // 2)


async def procrastinate(effect: str, dsn: str) -> None:
    """An App over a pool of psycopg's."""
    from procrastinate import App, JobContext, PsycopgConnector

    app = App(connector=PsycopgConnector(conninfo=dsn, min_size=8, max_size=8))

    @app.task(name="bench", pass_context=True)
    async def bench(context: JobContext) -> None:
        if effect == "row":
            await app.connector.execute_query_async(
                "INSERT INTO effects (job) VALUES (%(job)s)", job=context.job.id
            )

    async with app.open_async():
        await app.run_worker_async(
            concurrency=CONCURRENCY, install_signal_handlers=False, delete_jobs="always"
        )


def main(arguments: Sequence[str]) -> int:
    system, effect, dsn = arguments
    if system == "ours":
        return ours(effect, dsn)
    run: Any = {"pgqueuer": pgqueuer, "procrastinate": procrastinate}[system]
    loop = None
    if system == "pgqueuer":
        import uvloop

        loop = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run(effect, dsn))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
