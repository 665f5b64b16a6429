"""A gateway that knows nothing yet must not say what there is and what there is not."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from gateway_process import eventually
from hostile_site import Site
from postgres_proxy import PostgresProxy
from postgres_server import in_thread
from raw_http import Response, read_responses, talk
from secrets_seeded import body_for, request


async def _ask(dsn: str, folder: Path) -> Response:
    """A chat with a gateway that has never reached its database."""
    async with PostgresProxy(dsn) as proxy:
        await proxy.shut()
        site = Site(dsn, folder, slot="start", own_dsn=proxy.dsn)
        site.gateway.spawn()
        try:
            await eventually(site.gateway.state, what="an answer")
            path = "/v1/chat/completions"
            data = request(path, json.dumps(body_for(path, "x")).encode(), key=None)
            return read_responses((await talk(site.port, [data])).data)[0]
        finally:
            await site.stop()


def test_no_model_is_denied_before_the_routes_are_known(dsn: str, tmp_path: Path) -> None:
    answers: list[Response] = []
    in_thread(lambda: answers.append(asyncio.run(_ask(dsn, tmp_path))))
    assert answers[0].status == 503
    assert answers[0].header("retry-after")
