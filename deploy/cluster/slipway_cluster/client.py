"""Requests to the API server with the standard library: as much as starting and testing need.

Bodies and answers are plain objects in wire form. YAML is sent as it is: the API server reads it.
"""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .errors import ApiError
from .pki import Certificate

JSON = "application/json"
YAML = "application/yaml"


class Client:
    """One identity at one API server; a connection a request."""

    def __init__(self, url: str, *, authority: Path, certificate: Certificate) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 443
        self._context = ssl.create_default_context(cafile=str(authority))
        self._context.load_cert_chain(certificate.certificate, certificate.key)

    def request(
        self, method: str, path: str, body: object = None, *, content_type: str = JSON
    ) -> dict[str, Any]:
        """The answer's object; ApiError for a refusal, OSError where nobody answers."""
        status, text = self.raw(method, path, body, content_type=content_type)
        if status >= 400:
            raise ApiError(f"{method} {path}: {status} {_message(text)}", status=status)
        found = json.loads(text)
        if not isinstance(found, dict):
            raise ApiError(f"{method} {path}: not an object", status=status)
        return found

    def raw(
        self, method: str, path: str, body: object = None, *, content_type: str = JSON
    ) -> tuple[int, str]:
        """Status and text; text and bytes are sent as they are, the rest as JSON."""
        payload = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
        connection = http.client.HTTPSConnection(
            self._host, self._port, timeout=30, context=self._context
        )
        try:
            headers = {"Content-Type": content_type, "Accept": JSON}
            connection.request(method, path, payload, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except http.client.HTTPException as broken:
            raise ConnectionError(f"{method} {path}: {broken!r}") from broken
        finally:
            connection.close()

    def ready(self, path: str = "/readyz") -> bool:
        """Whether a health endpoint says so."""
        try:
            return self.raw("GET", path)[0] == 200
        except OSError:
            return False


def _message(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        return text.strip()
    return str(found.get("message", text)) if isinstance(found, dict) else text
