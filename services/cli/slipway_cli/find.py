"""From what a person typed to the object that is meant, and careful changes to it.

A bare name may be a Model or a ModelVersion; where a verb is for one kind only, the other kind's
name is answered with the command that would work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipway_cli.client import ObjectClient
from slipway_cli.errors import Conflict, NotFound
from slipway_cli.resources import Kind, Resource, label, parse_target
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion

ATTEMPTS = 5


async def find(objects: ObjectClient, target: str) -> Resource:
    """``mv/v2``, or a bare name: the ModelVersion of that name before the Model."""
    kind, name = parse_target(target)
    if kind is not None:
        return await objects.get(kind, name)
    for candidate in (Kind.VERSION, Kind.MODEL):
        try:
            return await objects.get(candidate, name)
        except NotFound:
            continue
    raise NotFound(
        f"there is no ModelVersion and no Model {name!r}; "
        "`slipway get mv` and `slipway get models` list what there is"
    )


async def find_version(objects: ObjectClient, target: str, verb: str) -> ModelVersion:
    """The ModelVersion. NotFound names the candidate where the person gave a Model."""
    found = await find(objects, target)
    if isinstance(found, ModelVersion):
        return found
    candidate = found.status.candidate
    hint = "it has no candidate now"
    if candidate is not None:
        hint = f"its candidate is {candidate}: slipway {verb} {candidate}"
    raise NotFound(f"{target} is a Model, and {verb} is for a ModelVersion; {hint}")


async def find_model(objects: ObjectClient, target: str, verb: str) -> Model:
    """The Model. A ModelVersion's name is answered with its Model's."""
    kind, name = parse_target(target)
    if kind is not Kind.VERSION:
        try:
            found = await objects.get(Kind.MODEL, name)
        except NotFound:
            if kind is not None:
                raise
        else:
            assert isinstance(found, Model)
            return found
    version = await find(objects, target)
    assert isinstance(version, ModelVersion)
    model = version.spec.model
    raise NotFound(f"{target} is a ModelVersion of {model}; use: slipway {verb} {model}")


async def change(
    objects: ObjectClient, resource: Resource, edit: Callable[[Any], dict[str, Any] | None]
) -> bool:
    """Apply ``edit`` to the newest state: resource → spec fields to set, None for nothing to do.

    A field that is set to None is removed.

    The operator writes status meanwhile, which moves the resource version: so read, edit, write,
    a few times. True when something was written; Conflict when it never held still.
    """
    kind, name = Kind(resource.kind), resource.metadata.name
    for _ in range(ATTEMPTS):
        fields = edit(resource)
        if fields is None:
            return False
        merged = {**resource.spec.sparse(), **fields}
        try:
            await objects.update_spec(
                resource, {key: value for key, value in merged.items() if value is not None}
            )
        except Conflict:
            resource = await objects.get(kind, name)
        else:
            return True
    raise Conflict(f"{label(resource)} changed {ATTEMPTS} times meanwhile; run the command again")
