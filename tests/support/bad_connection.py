"""A door between the operator and the API server that answers badly.

Plain HTTP on loopback in front, the administrator's certificate behind, so a kubeconfig needs no
user. ``Fault`` says which requests meet it and how: refused, done but not answered, cut, or a watch
that expires or falls silent.
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from slipway_cluster.controlplane import ControlPlane

HOP = {"transfer-encoding", "connection", "content-length", "content-encoding", "keep-alive"}
WRITING = {"POST", "PUT", "PATCH", "DELETE"}


class Fault(StrEnum):
    """What a request meets."""

    CONFLICT = "409"
    TOO_MANY = "429"
    RESET = "reset before it was done"
    LOST = "done, and the answer lost"
    EXPIRED = "410 in a watch"
    SILENT = "a watch that says nothing"
    CUT = "a watch that is cut"


WATCH_FAULTS = {Fault.EXPIRED, Fault.SILENT, Fault.CUT}


@dataclass
class BadConnection:
    """``async with``; ``kubeconfig`` leads through it. ``faults`` may be changed at any time.

    ``odds``: which share of the requests that could meet a fault do; ``watch_odds``: of watches.
    """

    plane: ControlPlane
    folder: Path
    faults: tuple[Fault, ...] = ()
    odds: float = 0.25
    watch_odds: float = 0.7
    spare: Callable[[str], bool] = lambda path: "/leases" in path
    met: Counter[Fault] = field(default_factory=Counter)
    _random: random.Random = field(default_factory=lambda: random.Random(7))

    async def __aenter__(self) -> BadConnection:
        context = ssl.create_default_context(cafile=str(self.plane.ca))
        shown = self.plane.certificate_for("proxy", groups=["system:masters"])
        context.load_cert_chain(shown.certificate, shown.key)
        connector = aiohttp.TCPConnector(ssl=context, limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False
        )
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.kubeconfig = self.folder / "bad-connection.conf"
        self.kubeconfig.write_text(_kubeconfig(f"http://{host}:{port}"), "utf-8")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()

    def _fault(self, request: web.Request) -> Fault | None:
        watch = "watch" in request.query
        able = [
            fault
            for fault in self.faults
            if (fault in WATCH_FAULTS) == watch
            and (fault not in {Fault.CONFLICT, Fault.LOST} or request.method in WRITING)
        ]
        odds = self.watch_odds if watch else self.odds
        if not able or self.spare(request.path) or self._random.random() >= odds:
            return None
        fault = self._random.choice(able)
        self.met[fault] += 1
        return fault

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        match self._fault(request):
            case Fault.CONFLICT:
                return _status(409, "Conflict", "the object has been modified")
            case Fault.TOO_MANY:
                return _status(429, "TooManyRequests", "too many requests", retry_after=1)
            case Fault.RESET:
                return _cut(request)
            case Fault.LOST:
                async with self._forward(request, body) as done:
                    await done.read()
                return _cut(request)
            case Fault.EXPIRED:
                return await self._expired(request)
            case Fault.SILENT:
                return await self._silent(request)
            case Fault.CUT:
                return await self._relayed(request, body, seconds=0.5)
            case _:
                return await self._relayed(request, body)

    def _forward(self, request: web.Request, body: bytes) -> Any:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in {*HOP, "host"}}
        url = self.plane.url + request.raw_path
        return self._session.request(request.method, url, data=body or None, headers=headers)

    async def _relayed(
        self, request: web.Request, body: bytes, *, seconds: float | None = None
    ) -> web.StreamResponse:
        async with self._forward(request, body) as answer:
            headers = {k: v for k, v in answer.headers.items() if k.lower() not in HOP}
            response = web.StreamResponse(status=answer.status, headers=headers)
            await response.prepare(request)
            try:
                async with asyncio.timeout(seconds):
                    async for piece in answer.content.iter_any():
                        await response.write(piece)
            except TimeoutError:
                return _cut(request)
            await response.write_eof()
            return response

    async def _expired(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        gone = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
        gone |= {"reason": "Expired", "code": 410, "message": "too old resource version"}
        line = json.dumps({"type": "ERROR", "object": gone}) + "\n"
        await response.write(line.encode())
        await response.write_eof()
        return response

    async def _silent(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        await asyncio.Event().wait()
        return response


def _status(
    code: int, reason: str, message: str, *, retry_after: int | None = None
) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
    headers = {"Retry-After": str(retry_after)} if retry_after else {}
    return web.json_response(
        body | {"reason": reason, "message": message}, status=code, headers=headers
    )


def _cut(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    raise ConnectionResetError("the test says so")


def _kubeconfig(server: str) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "bad", "cluster": {"server": server}}],
            "users": [{"name": "nobody", "user": {}}],
            "contexts": [{"name": "bad", "context": {"cluster": "bad", "user": "nobody"}}],
            "current-context": "bad",
        }
    )
