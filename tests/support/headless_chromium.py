"""A page in headless Chromium, over its debugging protocol: what it logs, what it draws.

Debian's ``chromium`` and a WebSocket; no driver of anybody's. ``find`` says whether it is here.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

START_SECONDS = 60.0
CALL_SECONDS = 60.0


def find() -> str | None:
    """The browser's path: $SLIPWAY_CHROMIUM or what is on PATH."""
    given = os.environ.get("SLIPWAY_CHROMIUM")
    return given or shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass
class Page:
    """One tab. ``said``: what its console, its log and its exceptions said."""

    socket: aiohttp.ClientWebSocketResponse
    said: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _loaded: bool = False

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self.socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(CALL_SECONDS):
            while True:
                message = await self._next()
                if message.get("id") == number:
                    assert "error" not in message, message
                    return message["result"]

    async def open(self, url: str) -> None:
        """Until it has loaded."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        self._loaded = False
        await self.call("Page.navigate", url=url)
        async with asyncio.timeout(CALL_SECONDS):
            while not self._loaded:
                await self._next()

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression is."""
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"]["value"]

    async def dark(self, wanted: bool) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if wanted else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def screenshot(self, file: Path, *, width: int = 1000, height: int | None = None) -> None:
        """The whole page, or its upper part."""
        if height is None:
            height = int(await self.value("document.documentElement.scrollHeight"))
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        shot = await self.call("Page.captureScreenshot", format="png")
        await asyncio.to_thread(file.write_bytes, base64.b64decode(shot["data"]))

    async def _next(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads((await self.socket.receive()).data)
        params = message.get("params", {})
        match message.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Runtime.consoleAPICalled":
                self.said.append(f"console.{params['type']}: {params['args']}")
            case "Runtime.exceptionThrown":
                self.said.append(f"exception: {params['exceptionDetails']['text']}")
            case "Log.entryAdded":
                self.said.append(f"{params['entry']['level']}: {params['entry']['text']}")
            case "Network.requestWillBeSent":
                self.requested.append(params["request"]["url"])
        return message


@asynccontextmanager
async def chromium(home: Path) -> AsyncIterator[Page]:
    """A browser with one empty tab; its profile goes under ``home``."""
    browser = find()
    assert browser is not None
    process = await asyncio.create_subprocess_exec(
        browser,
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
        *("--remote-debugging-port=0", f"--user-data-dir={home}", "about:blank"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        port = await _port(home / "DevToolsActivePort", process)
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"http://127.0.0.1:{port}/json/list") as answer,
        ):
            tabs = [tab for tab in await answer.json() if tab["type"] == "page"]
            async with client.ws_connect(
                tabs[0]["webSocketDebuggerUrl"], max_msg_size=64 << 20
            ) as socket:
                yield Page(socket)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _port(file: Path, process: asyncio.subprocess.Process) -> str:
    async with asyncio.timeout(START_SECONDS):
        while True:
            assert process.returncode is None, f"{file.parent}: chromium ended"
            lines = await asyncio.to_thread(_lines, file)
            if len(lines) > 1:
                return lines[0]
            await asyncio.sleep(0.05)


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []
