"""The committed files: what is generated, that it is a schema, and that all three agree."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from log_lines import wrong_with

from slipway_telemetry import schema
from slipway_telemetry.line import LogLine
from slipway_telemetry.logs import JsonLines

DOCS = Path(__file__).parents[3] / "docs"
# What Elasticsearch's types take of JSON.
TAKES = {
    "date": "string",
    "date_nanos": "string",
    "keyword": "string",
    "match_only_text": "string",
    "long": "integer",
    "flattened": "object",
}


@pytest.mark.parametrize("name", sorted(schema.documents()))
def test_the_committed_file_is_the_generated_one(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == schema.documents()[name]


def test_it_is_a_schema_without_nulls() -> None:
    found = schema.json_schema()
    Draft202012Validator.check_schema(found)
    assert "null" not in json.dumps(found)
    assert set(found["properties"]) == set(LogLine.model_fields)


def test_every_field_is_indexed_as_what_it_is() -> None:
    found = schema.json_schema()
    mapped = schema.index_template()["template"]["mappings"]["properties"]
    assert set(mapped) - {"@timestamp"} == set(found["properties"])
    for name, field in found["properties"].items():
        kind = field.get("type", "string")
        assert TAKES[mapped[name]["type"]] == kind, name


def test_labels_are_few_and_fields() -> None:
    assert set(schema.LABELS) | set(schema.METADATA) <= set(LogLine.model_fields)
    defined = schema.json_schema()["$defs"]
    assert sum(len(kind["enum"]) for kind in defined.values()) < 20
    assert {"Level", "Service"} == set(defined)


def test_what_the_page_names_is_in_the_schema() -> None:
    page = (DOCS / "logs.md").read_text("utf-8").partition("## Privacy")[0]
    table = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert table == set(LogLine.model_fields)


def test_the_example_of_the_page_is_a_line() -> None:
    page = (DOCS / "logs.md").read_text("utf-8")
    (example,) = re.findall(r"```json\n(.*?)\n```", page, re.DOTALL)
    assert wrong_with(json.loads(example)) == []


def test_a_line_is_indexed_whole() -> None:
    """Every field of a line has a mapping, and no mapping refuses what the formatter writes."""
    mapped = schema.index_template()["template"]["mappings"]
    assert mapped["dynamic"] is False
    record = logging.makeLogRecord({"msg": "x", "name": "n", "step": 3, "other": {"a": 1}})
    line = json.loads(JsonLines("worker").format(record))
    python = {"string": str, "integer": int, "object": dict}
    for name, value in line.items():
        assert isinstance(value, python[TAKES[mapped["properties"][name]["type"]]]), name


def test_the_stage_reads_fields_that_are_there() -> None:
    stage = schema.alloy_stage()
    assert set(re.findall(r'(\w+) = "\w+"', stage)) - {"source", "format"} <= set(
        LogLine.model_fields
    )
    assert stage.count("{") == stage.count("}")
