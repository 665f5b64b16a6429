"""Local mode's objects and events: the ports over the store.

Objects are validated once, here; what does not validate is Terminal, never half read.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from pydantic import ValidationError

from slipway_contracts.conditions import Reason
from slipway_contracts.model import Model, ModelStatus
from slipway_contracts.model_version import ModelVersion, ModelVersionStatus, Outcome
from slipway_operator.core.decision import EventRecord
from slipway_operator.errors import Terminal
from slipway_operator.platforms.store_errors import operator_errors
from slipway_store import events
from slipway_store.connect import Pool
from slipway_store.errors import UNAVAILABLE, NotFound
from slipway_store.objects import ObjectStore, Wire
from slipway_store.watching import ObjectKey


class LocalObjects:
    """``ports.Objects`` for one namespace. ``ended`` hears how each attempt ends."""

    def __init__(
        self,
        pool: Pool,
        dsn: str,
        *,
        namespace: str = "default",
        ended: Callable[[Outcome], None] = lambda outcome: None,
    ) -> None:
        self._store = ObjectStore(pool)
        self._ended = ended
        self._dsn = dsn
        self._namespace = namespace
        # Which Model a version belongs to: a deleted version's row is not there to tell.
        self._owners: dict[str, str] = {}

    async def read(self, model: str) -> tuple[Model | None, tuple[ModelVersion, ...]]:
        """The Model, or None, and its versions, oldest first."""
        with operator_errors():
            try:
                found = await self._store.get("Model", model, namespace=self._namespace)
            except NotFound:
                found = None
            listed = await self._store.list("ModelVersion", namespace=self._namespace)
        mine = [wire for wire in listed if wire["spec"].get("model") == model]
        try:
            owner = None if found is None else Model.model_validate(found)
            versions = [ModelVersion.model_validate(wire) for wire in mine]
        except ValidationError as error:
            raise Terminal(
                f"a stored object of {model} is not valid, apply it again: {error}",
                reason=Reason.INVALID,
            ) from error
        return owner, tuple(sorted(versions, key=_age))

    async def write_model_status(self, model: Model, status: ModelStatus) -> None:
        await self._write("Model", model, status)

    async def write_version_status(self, version: ModelVersion, status: ModelVersionStatus) -> None:
        await self._write("ModelVersion", version, status)
        if status.outcome is not None and status.outcome != version.status.outcome:
            self._ended(status.outcome)

    async def release(self, obj: Model | ModelVersion) -> None:
        """Take this very object's finalizers off, not those of a later one of the same name."""
        with operator_errors():
            await self._store.release(
                obj.kind, obj.metadata.name, namespace=self._namespace, uid=obj.metadata.uid
            )

    async def watch(self) -> AsyncGenerator[str, None]:
        """Names of Models: all at the start and every 30 s, then each that changed."""
        async with aclosing(self._store.watch(self._dsn)) as keys:
            async for key in keys:
                model = await self._owner(key)
                if model is not None:
                    yield model

    async def _write(
        self, kind: str, obj: Model | ModelVersion, status: ModelStatus | ModelVersionStatus
    ) -> None:
        with operator_errors():
            await self._store.update_status(
                kind,
                obj.metadata.name,
                status.wire(),
                resource_version=obj.metadata.resource_version,
                namespace=self._namespace,
            )

    async def _owner(self, key: ObjectKey) -> str | None:
        kind, namespace, name = key
        if namespace != self._namespace:
            return None
        if kind == "Model":
            return name
        try:
            wire: Wire = await self._store.get(kind, name, namespace=namespace)
        except NotFound:
            return self._owners.pop(name, None)
        except UNAVAILABLE:
            # The watch lists everything again once the server is back.
            return self._owners.get(name)
        self._owners[name] = wire["spec"].get("model", "")
        return self._owners[name] or None


class LocalEvents:
    """``ports.Events``: rows of the event list."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def append(self, namespace: str, events_: Sequence[EventRecord]) -> None:
        with operator_errors():
            for event in events_:
                await events.append(
                    self._pool,
                    kind=event.kind,
                    namespace=namespace,
                    name=event.name,
                    type=event.type,
                    reason=event.reason,
                    message=event.message,
                )


def _age(version: ModelVersion) -> tuple[float, str]:
    created = version.metadata.creation_timestamp
    return (created.timestamp() if created else 0.0, version.metadata.name)
