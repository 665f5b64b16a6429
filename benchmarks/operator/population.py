"""The Models and ModelVersions, and what the API server tells of them.

One connection writes as a person would; one watch notes when the status of each version has come so
far. Times are this process's own clock, so a latency holds the API server's and the operator's
part, not a clock's difference.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from benchmarks.operator.cluster import NAMESPACE

from slipway_cluster.controlplane import ControlPlane

GROUP = f"/apis/slipway.dev/v1alpha1/namespaces/{NAMESPACE}"
API_VERSION = "slipway.dev/v1alpha1"
MERGE = "application/merge-patch+json"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
WRITERS = 16


@dataclass(slots=True, kw_only=True)
class Seen:
    """How far the status of one version is, and since when it is about this generation."""

    generation: int = 0
    at: float = 0.0
    artifact: bool = False


@dataclass(slots=True, kw_only=True)
class Population:
    """The administrator's connection and the watch of every version."""

    session: aiohttp.ClientSession
    seen: dict[str, Seen] = field(default_factory=dict)
    _told: asyncio.Event = field(default_factory=asyncio.Event)

    async def fill(self, *, versions: int, models: int) -> None:
        """The versions are spread evenly over the Models."""
        await _side_by_side(self._create("models", model(n)) for n in range(models))
        await _side_by_side(
            self._create("modelversions", version(n, of=n % models)) for n in range(versions)
        )

    async def edit(self, name: str, *, state: str) -> float:
        """Change a version's spec; seconds from the answer to the status that is about it."""
        patch = orjson.dumps({"spec": {"desiredState": state}})
        path = f"{GROUP}/modelversions/{name}"
        headers = {"Content-Type": MERGE}
        async with self.session.patch(path, data=patch, headers=headers) as answer:
            body = orjson.loads(await answer.read())
            answer.raise_for_status()
        answered, generation = time.monotonic(), int(body["metadata"]["generation"])
        await self.until(lambda: self.seen[name].generation >= generation)
        return max(0.0, self.seen[name].at - answered)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for what the watch will tell."""
        while not holds():
            self._told.clear()
            await self._told.wait()

    async def children(self, path: str) -> int:
        """How many objects a collection of the namespace has."""
        headers = {"Accept": METADATA_ONLY}
        async with self.session.get(path, headers=headers) as answer:
            answer.raise_for_status()
            return len(orjson.loads(await answer.read())["items"])

    async def watch(self) -> None:
        """Until cancelled. The API server ends the watch of a client that is too slow for it; the
        next begins with everything as it is then.
        """
        while True:
            await self._watch()

    async def _watch(self) -> None:
        query = {"watch": "true", "timeoutSeconds": "86400", "resourceVersion": "0"}
        path = f"{GROUP}/modelversions"
        async with self.session.get(path, params=query) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    return
                self._note(event["object"])

    def _note(self, body: dict[str, Any]) -> None:
        status, name = body.get("status") or {}, body["metadata"]["name"]
        known = self.seen.setdefault(name, Seen())
        generation = int(status.get("observedGeneration") or 0)
        if generation > known.generation:
            known.generation, known.at = generation, time.monotonic()
        known.artifact = bool(status.get("artifact"))
        self._told.set()

    async def _create(self, plural: str, body: dict[str, Any]) -> None:
        async with self.session.post(f"{GROUP}/{plural}", json=body) as answer:
            if answer.status >= 300:
                raise RuntimeError(f"{plural} is refused: {await answer.text()}")


@asynccontextmanager
async def population(plane: ControlPlane) -> AsyncIterator[Population]:
    """With the watch running."""
    shown = ssl.create_default_context(cafile=str(plane.ca))
    pki = plane.home / "pki"
    shown.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    # A watch's line is a whole object with its managed fields.
    async with aiohttp.ClientSession(
        plane.url,
        connector=aiohttp.TCPConnector(ssl=shown, limit=0),
        timeout=aiohttp.ClientTimeout(total=None),
        read_bufsize=1 << 22,
    ) as session:
        people = Population(session=session)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(people.watch())
            yield people
            watching.cancel()


def model(number: int) -> dict[str, Any]:
    """A Model whose versions wait for a person once they have their artifact."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Model",
        "metadata": {"name": f"m{number:04}"},
        "spec": {"evaluation": {"approval": True}},
    }


def version(number: int, *, of: int) -> dict[str, Any]:
    """A version with an import to run."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelVersion",
        "metadata": {"name": version_name(number)},
        "spec": {"model": f"m{of:04}", "source": {"random": {"seed": number}}},
    }


def version_name(number: int) -> str:
    return f"v{number:05}"


async def _side_by_side(work: Iterable[Any]) -> None:
    """A few at a time."""
    waiting = iter(work)

    async def writer() -> None:
        for one in waiting:
            await one

    async with asyncio.TaskGroup() as tasks:
        for _ in range(WRITERS):
            tasks.create_task(writer())
