"""What those who collect log lines need, made from ``LogLine``: JSON Schema, an index template for
Elasticsearch, and the stage for Grafana Alloy that gives Loki its labels. Pure; ``scripts/
generate.py`` writes them into ``docs/``.
"""

from __future__ import annotations

import json
from typing import Any

from slipway_telemetry.line import MESSAGE_LIMIT, LogLine

# Few values each, so that Loki keeps few streams; the rest is structured metadata.
LABELS = ("service", "level")
METADATA = ("model", "version", "request_id", "tenant", "trace_id")
_TEXTS = frozenset({"message", "error", "traceback"})


def json_schema() -> dict[str, Any]:
    """Of a line, JSON Schema 2020-12. A field is there or not; it is never null."""
    schema = LogLine.model_json_schema(mode="serialization")
    for field in schema["properties"].values():
        field.pop("default", None)
        field.pop("title", None)
        for kind in field.pop("anyOf", ()):
            if kind != {"type": "null"}:
                field.update(kind)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def index_template() -> dict[str, Any]:
    """``PUT _index_template/slipway-logs``: a data stream, strict, with a month's keeping."""
    properties = json_schema()["properties"]
    mapping = {name: _mapping(name, field) for name, field in properties.items()}
    # A data stream wants the time under this name; the field ``time`` keeps what the process said.
    mapping["@timestamp"] = {"type": "date"}
    return {
        "index_patterns": ["logs-slipway-*"],
        "data_stream": {},
        "priority": 500,
        "template": {
            "settings": {"index.mode": "logsdb"},
            "lifecycle": {"data_retention": "30d"},
            "mappings": {"dynamic": False, "properties": dict(sorted(mapping.items()))},
        },
    }


def _mapping(name: str, field: dict[str, Any]) -> dict[str, Any]:
    if name == "time":
        return {"type": "date_nanos"}
    if name in _TEXTS:
        return {"type": "match_only_text"}
    match field.get("type"):
        case "integer":
            return {"type": "long"}
        case "object":
            # One field whatever keys it holds: no explosion of mappings.
            return {"type": "flattened", "ignore_above": MESSAGE_LIMIT}
        case _:
            return {"type": "keyword"}


def alloy_stage() -> str:
    """``loki.process`` for Grafana Alloy; lines that are not ours pass as they are."""
    named = (*LABELS, *METADATA, "time")
    expressions = ", ".join(f'{name} = "{name}"' for name in named)
    labels = ", ".join(f'{name} = ""' for name in LABELS)
    metadata = ", ".join(f'{name} = ""' for name in METADATA)
    return (
        'loki.process "slipway" {\n'
        f"  stage.json {{\n    expressions = {{ {expressions} }}\n  }}\n"
        '  stage.timestamp {\n    source = "time"\n    format = "RFC3339Nano"\n  }\n'
        f"  stage.labels {{\n    values = {{ {labels} }}\n  }}\n"
        f"  stage.structured_metadata {{\n    values = {{ {metadata} }}\n  }}\n"
        "  forward_to = [loki.write.default.receiver]\n"
        "}\n"
    )


def documents() -> dict[str, str]:
    """File name in ``docs/`` → content."""
    return {
        "logs.schema.json": _pretty(json_schema()),
        "logs.elasticsearch.json": _pretty(index_template()),
        "logs.alloy": alloy_stage(),
    }


def _pretty(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
