"""YAML documents → typed resources, all of them or none.

Every problem of every document is reported at once, each with file, line, field and fix. Reads
what kubectl would read: several documents a file, ``List`` objects, JSON.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from slipway_cli.errors import InvalidInput
from slipway_cli.refusals import Path as FieldPath
from slipway_cli.refusals import Problem, explain, unknown_field
from slipway_cli.resources import Kind, Resource, type_of
from slipway_contracts.base import API_VERSION, ObjectMeta

SUFFIXES = (".yaml", ".yml", ".json")
STDIN = "-"
# Nodes of one document, aliases followed: far above any manifest, far below any harm.
NODE_LIMIT = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One parsed document. ``node`` still knows the lines of its fields."""

    source: str
    node: yaml.Node
    body: Any

    def where(self, path: FieldPath = ()) -> str:
        """``file:line`` of the field, or of the nearest thing around it that exists."""
        node = self.node
        for part in path:
            inner = _child(node, part)
            if inner is None:
                break
            node = inner
        return f"{self.source}:{node.start_mark.line + 1}"


def read_manifests(sources: list[str]) -> list[Resource]:
    """Files, folders or ``-`` → resources. Raises InvalidInput that lists every problem."""
    documents = [document for source in sources for document in _documents(source)]
    if not documents:
        raise InvalidInput(f"{', '.join(sources)}: holds no document")
    return parse_documents(documents)


def parse_documents(documents: list[Document]) -> list[Resource]:
    """All documents, or InvalidInput that lists what is wrong in each of them."""
    resources: list[Resource] = []
    problems: list[str] = []
    seen: dict[tuple[str, str], str] = {}
    for document in documents:
        parsed = _parse(document)
        if not isinstance(parsed, list):
            identity = (parsed.kind, parsed.metadata.name)
            if identity in seen:
                problems.append(
                    f"{document.where()}: {parsed.kind} {parsed.metadata.name} is already in "
                    f"{seen[identity]}; keep one of the two"
                )
            seen.setdefault(identity, document.where())
            resources.append(parsed)
            continue
        name = _title(document.body)
        problems.extend(f"{document.where(p.path)}: {name}{p}" for p in parsed)
    if problems:
        raise InvalidInput("\n".join([*problems, "nothing was applied"]))
    return resources


def _parse(document: Document) -> Resource | list[Problem]:
    body = document.body
    if not isinstance(body, dict):
        return [Problem(path=(), message="must be a mapping with apiVersion, kind, metadata, spec")]
    if body.get("apiVersion") != API_VERSION:
        shown = body.get("apiVersion", "nothing")
        return [Problem(path=("apiVersion",), message=f"must be {API_VERSION}; got {shown}")]
    if body.get("kind") not in set(Kind):
        shown = body.get("kind", "nothing")
        return [Problem(path=("kind",), message=f"must be Model or ModelVersion; got {shown}")]
    kind = Kind(body["kind"])
    problems = _metadata_problems(body.get("metadata"))
    problems += _not_finite(body.get("spec"), ("spec",))
    try:
        resource = _resource(kind, body)
    except ValidationError as error:
        told = {problem.path for problem in problems}
        return problems + [p for p in explain(error, type_of(kind)) if p.path not in told]
    return problems or resource


def _resource(kind: Kind, body: dict[str, Any]) -> Resource:
    """Strict, as the API server is: no text for a number, no snake_case for camelCase."""
    desired = {key: value for key, value in body.items() if key != "status"}
    return type_of(kind).model_validate_json(
        json.dumps(desired, default=str), strict=True, by_alias=True, by_name=False
    )


def _not_finite(value: object, path: FieldPath) -> list[Problem]:
    """YAML has .inf and .nan; JSON, and so every store of ours, has neither."""
    if isinstance(value, dict):
        return [p for key, item in value.items() for p in _not_finite(item, (*path, str(key)))]
    if isinstance(value, list):
        return [p for index, item in enumerate(value) for p in _not_finite(item, (*path, index))]
    if isinstance(value, float) and not math.isfinite(value):
        return [Problem(path=path, message=f"must be a finite number; got {value}")]
    return []


def _metadata_problems(metadata: object) -> list[Problem]:
    """ObjectMeta ignores what it does not know, since servers add fields; a typo is told here."""
    if not isinstance(metadata, dict):
        return []
    known = {field.alias or name for name, field in ObjectMeta.model_fields.items()}
    # What an API server adds, and `get -o yaml` therefore prints.
    added = {"managedFields", "selfLink", "deletionGracePeriodSeconds", "ownerReferences"}
    problems = [
        Problem(path=("metadata", key), message=unknown_field(str(key), sorted(known)))
        for key in metadata
        if key not in known | added
    ]
    if metadata.get("namespace", "default") != "default":
        problems.append(
            Problem(
                path=("metadata", "namespace"),
                message="local mode has the namespace default only; leave it out",
            )
        )
    return problems


def _documents(source: str) -> Iterator[Document]:
    if source == STDIN:
        yield from _split("stdin", sys.stdin.read())
        return
    path = Path(source)
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.suffix in SUFFIXES and f.is_file())
        if not files:
            raise InvalidInput(f"{path}: holds no file that ends in {', '.join(SUFFIXES)}")
    else:
        files = [path]
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is not UTF-8 text"
            raise InvalidInput(f"{file}: {reason}; give a file, a folder or -") from None
        yield from _split(str(file), text)


def _split(source: str, text: str) -> Iterator[Document]:
    loader = yaml.SafeLoader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                break
            _check(source, node)
            body = loader.construct_document(node)
            if isinstance(body, dict) and body.get("kind") == "List":
                items = _child(node, "items")
                for index, item in enumerate(body.get("items") or []):
                    child = _child(items, index) if items is not None else None
                    yield Document(source=source, node=child or node, body=item)
            elif body is not None:
                yield Document(source=source, node=node, body=body)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidInput(f"{source}:{line}: is not YAML: {error.problem}") from None
    except RecursionError:
        raise InvalidInput(f"{source}: is nested too deeply for a manifest") from None
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidInput(f"{source}: is not YAML: {error}") from None
    finally:
        loader.dispose()


def _check(source: str, node: yaml.Node) -> None:
    """Refuse what YAML allows and an object cannot be: equal keys, keys that are not text, loops.

    Walks aliases as often as they are used, so a document that explodes is refused as well.
    """
    left = NODE_LIMIT
    waiting: list[tuple[yaml.Node, frozenset[int]]] = [(node, frozenset())]
    while waiting:
        current, above = waiting.pop()
        left -= 1
        if id(current) in above or left < 0:
            line = current.start_mark.line + 1
            raise InvalidInput(f"{source}:{line}: an alias makes it endless; write it out")
        if isinstance(current, yaml.ScalarNode):
            continue
        children = current.value
        if isinstance(current, yaml.MappingNode):
            _check_keys(source, current)
            children = [value for _, value in current.value]
        inside = above | {id(current)}
        waiting.extend((child, inside) for child in children)


def _check_keys(source: str, node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise InvalidInput(f"{source}:{line}: a key must be text")
        if key.value in seen:
            raise InvalidInput(f"{source}:{line}: {key.value} is given twice; keep one")
        seen.add(key.value)


def _child(node: yaml.Node, part: str | int) -> yaml.Node | None:
    if isinstance(part, int) and isinstance(node, yaml.SequenceNode):
        return node.value[part] if part < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    return None


def _title(body: object) -> str:
    """``ModelVersion v2: ``, as far as the document tells."""
    if not isinstance(body, dict):
        return ""
    metadata = body.get("metadata")
    name = metadata.get("name", "") if isinstance(metadata, dict) else ""
    return f"{body.get('kind', '')} {name}".strip() + ": "
