"""The story's platform on Kubernetes: what a person does and sees with ``kubectl``.

Objects and pods are read through ``kubectl proxy``, so that whatever way of logging in the
kubeconfig names works here too. Knows the release only by its names and labels.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from slipway_cli.demo.cast import manifest
from slipway_cli.demo.context import DemoError
from slipway_cli.demo.platform import ReplicaSeen
from slipway_cli.resources import Kind, Resource
from slipway_contracts.base import API_VERSION
from slipway_contracts.model import Model

TIMEOUT = aiohttp.ClientTimeout(total=20)
START_SECONDS = 30.0
_LISTENS = re.compile(rb"127\.0\.0\.1:(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubectl:
    """The user's own kubectl, in one namespace."""

    namespace: str

    async def __call__(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        """Its output. Raises DemoError with what it says instead."""
        process = await asyncio.create_subprocess_exec(
            *("kubectl", "--namespace", self.namespace, *arguments),
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, complaint = await process.communicate(stdin)
        if process.returncode:
            said = complaint.decode(errors="replace").strip()
            raise DemoError(f"kubectl {' '.join(arguments)}: {said}")
        return output

    async def secret(self, name: str, key: str) -> str:
        """One value of a Secret."""
        path = "{.data." + key + "}"
        encoded = await self("get", "secret", name, "--output", f"jsonpath={path}")
        return base64.b64decode(encoded).decode()

    @asynccontextmanager
    async def listening(self, *arguments: str) -> AsyncIterator[int]:
        """``proxy`` or ``port-forward`` beside the story; yields its port on the loopback."""
        process = await asyncio.create_subprocess_exec(
            *("kubectl", "--namespace", self.namespace, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                line = await process.stdout.readline()
            found = _LISTENS.search(line)
            if found is None:
                raise DemoError(f"kubectl {' '.join(arguments)} said {line!r}, no port")
            yield int(found[1])
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """``DemoPlatform`` of one namespace; ``api`` is the address of a ``kubectl proxy``."""

    kubectl: Kubectl
    api: str

    @property
    def away(self) -> tuple[type[Exception], ...]:
        """A restarted API server drops connections and answers by errors for a while."""
        return (aiohttp.ClientError, TimeoutError, OSError, ValueError)

    async def apply(self, resource: Resource) -> None:
        """``kubectl apply -f`` of the demo's own file. Raises DemoError."""
        name = "model" if isinstance(resource, Model) else resource.metadata.name
        await self.kubectl("apply", "--filename", str(manifest(name)))

    async def objects(self) -> Sequence[Mapping[str, Any]]:
        listed = [(kind, await self._list(f"apis/{API_VERSION}", kind.plural)) for kind in Kind]
        return [{**item, "kind": kind.value} for kind, items in listed for item in items]

    async def replicas(self) -> Mapping[str, set[ReplicaSeen]]:
        services = await self._list("apis/ray.io/v1", "rayservices")
        pods = await self._list("api/v1", "pods")
        return {
            service["metadata"]["name"]: {
                replica_of(pod) for pod in pods if _runs_for(pod, service["metadata"]["name"])
            }
            for service in services
        }

    async def _list(self, api: str, plural: str) -> list[dict[str, Any]]:
        url = f"{self.api}/{api}/namespaces/{self.kubectl.namespace}/{plural}"
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session, session.get(url) as response:
            response.raise_for_status()
            items: list[dict[str, Any]] = (await response.json())["items"]
            return items


def replica_of(pod: Mapping[str, Any]) -> ReplicaSeen:
    """A Ray pod; ``run`` counts its containers' restarts."""
    labels, status = pod["metadata"]["labels"], pod.get("status", {})
    restarts = sum(c.get("restartCount", 0) for c in status.get("containerStatuses", ()))
    return ReplicaSeen(
        deployment=f"{labels['ray.io/node-type']}/{labels.get('ray.io/group', '')}",
        replica=pod["metadata"]["uid"],
        run=restarts,
    )


def _runs_for(pod: Mapping[str, Any], backend: str) -> bool:
    """Whether the pod is a running one of this RayService: its cluster has its name and a tail."""
    cluster = pod["metadata"].get("labels", {}).get("ray.io/cluster", "")
    return (
        re.fullmatch(re.escape(backend) + r"(-raycluster)?-[a-z0-9]{5}", cluster) is not None
        and pod.get("status", {}).get("phase") == "Running"
    )
