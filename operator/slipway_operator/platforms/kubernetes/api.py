"""The API server: one namespace, one field manager, dicts in and out.

Every read and write goes through here (the watches are in ``slipway_operator.watch``), and here the
untyped Kubernetes client ends: what leaves a method is a dict or one of ``errors``. Every request
has a timeout, and every write may be repeated when its answer was lost. It must not know what the
kinds mean.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
from kubernetes.aio import config as client_config
from kubernetes.aio.client import ApiClient, Configuration

from slipway_contracts.conditions import Reason
from slipway_operator.errors import Conflict, Terminal, Transient
from slipway_operator.platforms.kubernetes.answers import Missing, error_of
from slipway_operator.platforms.kubernetes.kinds import (
    MANAGER,
    PODS,
    Bodies,
    Body,
    Kind,
    name_of,
    uid_of,
)
from slipway_operator.platforms.kubernetes.listed import listed

TIMEOUT = aiohttp.ClientTimeout(total=15, sock_connect=5)
NO_ANSWER_DELAY_SECONDS = 2.0
# As Python objects bodies take ten times their bytes; names and versions do not.
PAGE = 100
NAMES_PAGE = 500
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON = "application/json"
# Name, uid and resource version are all that a comparison needs: a tenth of the bytes.
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
IN_CLUSTER_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")

Query = Mapping[str, str | int]


class Api:
    """The verbs. Raises ``Transient``, ``Conflict`` and ``Terminal`` and nothing else."""

    def __init__(self, client: Any, *, namespace: str, manager: str = MANAGER) -> None:
        self._client = client
        self.namespace = namespace
        self._manager = manager

    async def get(self, kind: Kind, name: str) -> Body | None:
        """None when there is no such object."""
        try:
            return await self._object("GET", kind.path(self.namespace, name))
        except Missing:
            return None

    async def list(self, kind: Kind, *, labels: Mapping[str, str] | None = None) -> Bodies:
        """All of a kind, as ``pages``."""
        return [body async for page in self.pages(kind, labels=labels) for body in page]

    async def pages(
        self, kind: Kind, *, labels: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Bodies]:
        """All of a kind, some hundred at a time: a page that was used need not be remembered.

        Without managed fields; each body carries its apiVersion and kind. A label with an empty
        value must exist, whatever it says.
        """
        token = None
        while token != "":
            data = await self._page(kind, labels, token=token, limit=PAGE, accept=JSON)
            page = orjson.loads(data)
            del data
            bodies: Bodies = page["items"] or []
            for body in bodies:
                body["metadata"].pop("managedFields", None)
                body.setdefault("apiVersion", kind.api_version)
                body.setdefault("kind", kind.kind)
            yield bodies
            token = page["metadata"].get("continue") or ""

    async def versions(
        self, kind: Kind, *, labels: Mapping[str, str] | None = None
    ) -> tuple[dict[str, str], str]:
        """Name → resource version of all of a kind, and what the list is as of."""
        found: dict[str, str] = {}
        token, as_of = None, ""
        while token != "":
            data = await self._page(
                kind, labels, token=token, limit=NAMES_PAGE, accept=METADATA_ONLY
            )
            page, token, as_of = listed(data)
            found |= page
        return found, as_of

    async def create(self, kind: Kind, body: Body) -> Body:
        """Conflict when it is there already."""
        query = {"fieldManager": self._manager}
        return await self._object("POST", kind.path(self.namespace), query=query, body=body)

    async def apply(self, kind: Kind, body: Body) -> Body:
        """Server-side apply: make it so, whoever else wrote the fields that ``body`` names."""
        query = {"fieldManager": self._manager, "force": "true"}
        whole = {"apiVersion": kind.api_version, "kind": kind.kind, **body}
        path = kind.path(self.namespace, name_of(body))
        return await self._object("PATCH", path, query=query, body=whole, content=APPLY)

    async def replace(self, kind: Kind, body: Body) -> Body:
        """Put the whole object; its resourceVersion guards it."""
        query = {"fieldManager": self._manager}
        path = kind.path(self.namespace, name_of(body))
        return await self._object("PUT", path, query=query, body=body)

    async def patch(self, kind: Kind, name: str, patch: Body) -> Body:
        """Merge patch; ``metadata.uid`` and ``metadata.resourceVersion`` in it guard it."""
        path = kind.path(self.namespace, name)
        return await self._object("PATCH", path, body=patch, content=MERGE)

    async def patch_status(
        self, kind: Kind, name: str, status: Body, *, resource_version: str
    ) -> Body:
        """Merge patch of the status (None takes a field away), if nobody wrote since."""
        body = {"metadata": {"resourceVersion": resource_version}, "status": status}
        path = kind.path(self.namespace, name) + "/status"
        return await self._object("PATCH", path, body=body, content=MERGE)

    async def delete(self, kind: Kind, name: str, *, uid: str | None = None) -> None:
        """In the background; gone already is fine, and so is another object of that name."""
        body: Body = {"propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            await self._object("DELETE", kind.path(self.namespace, name), body=body)
        except Missing:
            return
        except Conflict:
            if not uid:
                raise
            found = await self.get(kind, name)
            if found is not None and uid_of(found) == uid:
                raise

    async def pod_log(self, name: str, *, container: str, tail_lines: int) -> str:
        """The last lines; Missing when the pod is gone."""
        query: Query = {"container": container, "tailLines": tail_lines}
        data = await self._call("GET", PODS.path(self.namespace, name) + "/log", query=query)
        return data.decode(errors="replace")

    async def _page(
        self,
        kind: Kind,
        labels: Mapping[str, str] | None,
        *,
        token: str | None,
        limit: int,
        accept: str,
    ) -> bytes:
        query: dict[str, str | int] = {"limit": limit}
        if labels:
            query["labelSelector"] = selector(labels)
        if token:
            query["continue"] = token
        return await self._call("GET", kind.path(self.namespace), query=query, accept=accept)

    async def _object(self, method: str, path: str, **how: Any) -> Body:
        body: Body = orjson.loads(await self._call(method, path, **how))
        return body

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Body | None = None,
        content: str = JSON,
        accept: str = JSON,
    ) -> bytes:
        headers = {"Accept": accept, "Content-Type": content, "User-Agent": "slipway-operator"}
        url = self._client.configuration.host + path + (f"?{urlencode(query)}" if query else "")
        doing = f"{method} {path}"
        try:
            await self._client.update_params_for_auth(
                headers, [], ["BearerToken"], path, method, None
            )
            answer = await self._client.rest_client.request(
                method, url, headers=headers, body=body, _request_timeout=TIMEOUT
            )
            data: bytes = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient(
                f"{doing}: the API server does not answer: {error or type(error).__name__}",
                delay=NO_ANSWER_DELAY_SECONDS,
            ) from error
        if answer.status >= 400:
            raise error_of(answer.status, data, answer.headers, doing=doing)
        return data


def selector(labels: Mapping[str, str]) -> str:
    """A label selector; a label with an empty value must exist."""
    return ",".join(f"{key}={value}" if value else key for key, value in sorted(labels.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where the API server is and who asks. Certificates and keys are paths of files."""

    server: str
    ca: str | None
    certificate: str | None
    private_key: str | None
    token: str | None
    configuration: Any

    async def renewed(self) -> Access:
        """With the token as it is now: those of pods are replaced every hour."""
        return await _access(self.configuration)


async def find_access(kubeconfig: Path | None = None) -> Access:
    """The pod's ServiceAccount, or the kubeconfig's current user."""
    configuration = Configuration()
    # Or aiohttp reads the environment and ~/.netrc for every request, on a thread.
    configuration.client_session_kwargs = {"trust_env": False}
    try:
        if kubeconfig is None and _in_cluster():
            client_config.load_incluster_config(configuration)
        else:
            file = str(kubeconfig) if kubeconfig else None
            await client_config.load_kube_config(file, client_configuration=configuration)
    except client_config.ConfigException as error:
        raise Terminal(
            f"no access to a cluster: {error}; set SLIPWAY_OPERATOR_KUBECONFIG, or run in a pod "
            "with a ServiceAccount token",
            reason=Reason.INVALID,
        ) from error
    return await _access(configuration)


@asynccontextmanager
async def connect(access: Access, *, namespace: str) -> AsyncGenerator[Api]:
    """An ``Api`` for as long as the context is open."""
    async with ApiClient(access.configuration) as client:
        yield Api(client, namespace=namespace)


async def _access(configuration: Any) -> Access:
    bearer = (await configuration.auth_settings()).get("BearerToken", {}).get("value") or ""
    return Access(
        server=configuration.host,
        ca=configuration.ssl_ca_cert,
        certificate=configuration.cert_file,
        private_key=configuration.key_file,
        token=bearer.split(" ", 1)[-1] or None,
        configuration=configuration,
    )


def _in_cluster() -> bool:
    return IN_CLUSTER_TOKEN.exists()
