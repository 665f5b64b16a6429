"""The API server as the command needs it: JSON in and out, its refusals as the command's errors.

Here the untyped Kubernetes client ends. It must not know what the kinds mean.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp

from slipway_cli.cluster.target import ClusterTarget
from slipway_cli.errors import CliError, Conflict, InvalidInput, NotFound, NotRunning

Body = dict[str, Any]
TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
# A watch has no end of its own; the server ends it after ``WATCH_SECONDS``.
WATCH_SECONDS = 240
WATCH_TIMEOUT = aiohttp.ClientTimeout(total=WATCH_SECONDS + 30, sock_connect=5)
PAGE = 250


class ClusterApi:
    """Requests in one namespace. ``where`` names the cluster in messages."""

    def __init__(self, client: Any, *, namespace: str, where: str) -> None:
        self._client = client
        self.namespace = namespace
        self.where = where

    async def get(self, path: str) -> Body:
        """One object."""
        return await self._json("GET", path)

    async def pages(self, path: str, **query: str) -> AsyncIterator[Body]:
        """A list, a page at a time."""
        asked = {"limit": str(PAGE), **query}
        while True:
            page = await self._json("GET", path, query=asked)
            yield page
            token = page["metadata"].get("continue")
            if not token:
                return
            asked["continue"] = token

    async def write(self, method: str, path: str, body: Body | None = None) -> Body:
        """POST, PUT or DELETE."""
        return await self._json(method, path, query={"fieldManager": "slipway-cli"}, body=body)

    async def watch(self, path: str, *, since: str) -> AsyncIterator[Body]:
        """What changes after ``since``, until the server ends it."""
        query = {
            "watch": "true",
            "resourceVersion": since,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        with self._translated():
            answer = await self._send("GET", path, query=query, timeout=WATCH_TIMEOUT)
            try:
                rest = b""
                # By chunks: a line is an object, and longer than what aiohttp takes for one.
                async for chunk in answer.response.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        yield json.loads(line)
            finally:
                _abort(answer.response)

    async def _json(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None
    ) -> Body:
        with self._translated():
            answer = await self._send(method, path, query=query or {}, body=body)
            found: Body = json.loads(await answer.read())
            return found

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: Any = None,
        timeout: aiohttp.ClientTimeout = TIMEOUT,
    ) -> Any:
        headers = {"Accept": "application/json", "User-Agent": "slipway-cli"}
        url = f"{self._client.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, None)
        answer = await self._client.rest_client.request(
            method, url, headers=headers, body=body, _request_timeout=timeout
        )
        if answer.status >= 400:
            raise refusal(answer.status, await answer.read(), where=self.where)
        return answer

    def _translated(self) -> _Translated:
        return _Translated(self.where)


class _Translated:
    """No answer → NotRunning."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, aiohttp.ClientError | TimeoutError | OSError):
            said = str(error) or type(error).__name__
            raise NotRunning(
                f"the API server of {self._where} does not answer ({said}); check --context and "
                "--kubeconfig"
            ) from None


def _abort(response: aiohttp.ClientResponse) -> None:
    """At once: a polite end of TLS would outlive the event loop."""
    transport = response.connection.transport if response.connection is not None else None
    if transport is not None:
        transport.abort()
    response.close()


def refusal(status: int, data: bytes, *, where: str) -> CliError:
    """A failed answer → the command's error, with the server's own sentence."""
    said = _message(data)
    match status:
        case 404 if "could not find the requested resource" in said or not said:
            return NotRunning(f"{where} has no Slipway: install its chart (the CRDs are missing)")
        case 404:
            return NotFound(said)
        case 409:
            return Conflict(said)
        case 400 | 422:
            return InvalidInput(said)
        case 401 | 403:
            return CliError(f"{where}: {said or 'not allowed'}; ask for that right, or log in anew")
    return CliError(f"{where}: {said or 'failed'} ({status})")


def _message(data: bytes) -> str:
    try:
        body = json.loads(data)
    except ValueError:
        return data[:200].decode(errors="replace").strip()
    return str(body.get("message", "")) if isinstance(body, dict) else ""


@asynccontextmanager
async def open_api(target: ClusterTarget) -> AsyncIterator[ClusterApi]:
    """Log in as the kubeconfig says. Raises InvalidInput, or CliError without the client."""
    try:
        from kubernetes.aio import config
        from kubernetes.aio.client import ApiClient, Configuration
    except ImportError:
        raise CliError(
            "Kubernetes' client is not installed: pip install 'slipway-cli[cluster]'"
        ) from None
    configuration = Configuration()
    configuration.client_session_kwargs = {"trust_env": False}
    file = str(target.kubeconfig) if target.kubeconfig else None
    try:
        await config.load_kube_config(
            file, context=target.context, client_configuration=configuration
        )
        namespace = target.namespace or _namespace(config, file, target.context)
    except (config.ConfigException, OSError) as error:
        raise InvalidInput(f"no access to {target}: {error}") from None
    async with ApiClient(configuration) as client:
        yield ClusterApi(client, namespace=namespace, where=str(target))


def _namespace(config: Any, file: str | None, context: str | None) -> str:
    """The context's own namespace."""
    every, current = config.list_kube_config_contexts(file)
    found = next((each for each in every if each["name"] == context), current)
    return str(found.get("context", {}).get("namespace") or "default")
