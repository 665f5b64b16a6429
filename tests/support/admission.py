"""What the API server says to one object after another: hundreds of dry runs a second.

One kept-alive connection as an administrator. ``Answer.message`` is what kubectl would print.
"""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

from slipway_cluster.controlplane import ControlPlane

PLURALS = {"Model": "models", "ModelVersion": "modelversions"}
MERGE = "application/merge-patch+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The status, the whole answer and what it says to people."""

    status: int
    body: dict[str, Any] = field(repr=False)

    @property
    def accepted(self) -> bool:
        return self.status < 300

    @property
    def message(self) -> str:
        return "" if self.accepted else str(self.body.get("message", ""))

    @property
    def fields(self) -> list[str]:
        """The paths that the refusal names."""
        causes = (self.body.get("details") or {}).get("causes") or []
        return [cause.get("field", "") for cause in causes]


class Admission:
    """``with Admission(plane, "ns") as admission``; objects are plain manifests."""

    def __init__(self, plane: ControlPlane, namespace: str = "default") -> None:
        parts = urlsplit(plane.url)
        context = ssl.create_default_context(cafile=str(plane.ca))
        shown = plane.certificate_for("tester", groups=["system:masters"])
        context.load_cert_chain(shown.certificate, shown.key)
        self.namespace = namespace
        self._connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=60, context=context
        )

    def __enter__(self) -> Admission:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._connection.close()

    def create(self, body: dict[str, Any], *, dry: bool = True, strict: bool = True) -> Answer:
        """``kubectl create``; nothing is stored unless ``dry`` is false."""
        return self._send("POST", self._path(body["kind"]), body, dry=dry, strict=strict)

    def patch(
        self, kind: str, name: str, patch: dict[str, Any], *, dry: bool = True, part: str = ""
    ) -> Answer:
        """A merge patch; ``part`` is a subresource such as ``/status``."""
        return self._send("PATCH", self._path(kind, name) + part, patch, dry=dry, strict=True)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return self._send("GET", self._path(kind, name), None, dry=False, strict=False).body

    def _path(self, kind: str, name: str = "") -> str:
        path = f"/apis/slipway.dev/v1alpha1/namespaces/{self.namespace}/{PLURALS[kind]}"
        return f"{path}/{name}" if name else path

    def _send(self, method: str, path: str, body: Any, *, dry: bool, strict: bool) -> Answer:
        query = {"fieldValidation": "Strict" if strict else "Ignore"}
        if dry:
            query["dryRun"] = "All"
        kind = MERGE if method == "PATCH" else "application/json"
        self._connection.request(
            method, f"{path}?{urlencode(query)}", json.dumps(body), {"Content-Type": kind}
        )
        answer = self._connection.getresponse()
        return Answer(status=answer.status, body=json.loads(answer.read()))
