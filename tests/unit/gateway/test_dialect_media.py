"""Addresses in chats: none reaches an engine that would fetch it, unless that is allowed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipway_contracts.model import GenerationDefaults
from slipway_gateway.dialects.embeddings import Embeddings
from slipway_gateway.dialects.openai import Chat
from slipway_gateway.dialects.responses import Responses
from slipway_gateway.errors import SchemaViolation

METADATA = "http://169.254.169.254/latest/meta-data"
PARTS: list[Any] = [
    {"type": "image_url", "image_url": {"url": METADATA}},
    {"type": "image_url", "image_url": METADATA},
    {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
    {"type": "image_url", "image_url": {"url": " data:,x"}},
    {"type": "video_url", "video_url": {"url": METADATA}},
    {"type": "audio_url", "audio_url": {"url": METADATA}},
    {"type": "text", "text": "x", "image_url": {"url": METADATA}},
    {"image_url": METADATA},
    {"type": "input_audio", "input_audio": {"url": METADATA}},
]
FINE: list[Any] = [
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}},
    {"type": "image_url", "image_url": {"url": "DATA:,x", "detail": "low"}},
    {"type": "text", "text": METADATA},
    {"type": "input_audio", "input_audio": {"data": "eA==", "format": "wav"}},
    "http://text",
]


def chat(part: Any, **message: Any) -> bytes:
    messages = [{"role": "user", "content": "x"}, {"role": "user", "content": [part]} | message]
    return json.dumps({"model": "demo", "messages": messages}).encode()


@pytest.mark.parametrize("part", PARTS, ids=range(len(PARTS)))
def test_addresses_are_refused_by_name(part: Any) -> None:
    with pytest.raises(SchemaViolation, match="data: URL") as refused:
        Chat().parse(chat(part), GenerationDefaults())
    assert refused.value.param == "messages[1].content"
    escaped = chat(part).replace(b"_url", b"\\u005furl")
    with pytest.raises(SchemaViolation):
        Chat().parse(escaped, GenerationDefaults())
    assert Chat(remote_media=True).parse(chat(part), GenerationDefaults()).body == chat(part)


@pytest.mark.parametrize("part", FINE, ids=range(len(FINE)))
def test_what_carries_its_own_data_passes(part: Any) -> None:
    assert Chat().parse(chat(part), GenerationDefaults()).body == chat(part)


def test_embeddings_take_no_chats() -> None:
    body = json.dumps({"model": "demo", "input": "x", "messages": []}).encode()
    with pytest.raises(SchemaViolation, match="messages"):
        Embeddings().parse(body, GenerationDefaults())


def test_responses_too() -> None:
    image = {"type": "input_image", "image_url": METADATA}
    item = {"role": "user", "content": [image]}
    body = json.dumps({"model": "demo", "input": [item]}).encode()
    with pytest.raises(SchemaViolation, match="data: URL"):
        Responses().parse(body, GenerationDefaults())
    assert Responses(remote_media=True).parse(body, GenerationDefaults()).model == "demo"
