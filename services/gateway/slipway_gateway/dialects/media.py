"""Addresses in a chat's messages that an engine would fetch: refused where that is not wanted.

A model that reads images, sound or film loads ``http://…`` and ``file://…`` from where it stands,
inside the cluster: who may only chat could reach what no client should. Data URLs carry the data
themselves. Knows no setting; each part is looked at, whatever its type claims to be.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slipway_gateway.errors import SchemaViolation

_DATA = "data:"


def refuse_addresses(messages: list[Any]) -> None:
    """Raises SchemaViolation that names the first message with an address."""
    for number, message in enumerate(messages):
        content = message.get("content")
        if not isinstance(content, list):
            continue
        for name, url in _addresses(content):
            if url[: len(_DATA)].lower() != _DATA:
                where = f"messages[{number}].content"
                raise SchemaViolation(
                    f"{where}: {name} is an address, and nothing is fetched here: send the data as "
                    "a data: URL (SLIPWAY_GATEWAY_REMOTE_MEDIA lets engines fetch)",
                    param=where,
                )


def _addresses(parts: list[Any]) -> Iterator[tuple[str, str]]:
    for part in parts:
        for name, value in part.items() if isinstance(part, dict) else ():
            url = value.get("url") if isinstance(value, dict) else value
            if isinstance(url, str) and (isinstance(value, dict) or name.endswith("url")):
                yield name, url
