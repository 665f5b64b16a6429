"""Digests that say which config and which code made an artifact."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib import metadata
from pathlib import Path

from slipway_contracts.base import Spec


def config_digest(spec: Spec) -> str:
    """``sha256:…`` over the wire form, independent of key order and of the file it came from."""
    text = json.dumps(spec.wire(), sort_keys=True, ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@cache
def code_revision() -> str:
    """``slipway-training VERSION+HASH`` where HASH is over the package's own sources."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"slipway-training {metadata.version('slipway-training')}+{digest.hexdigest()[:12]}"
