"""Kubernetes' Models and ModelVersions: read from the cache, written by one guarded patch.

A pass reads without I/O; what was read lately is not validated again. What does not validate is
told to its owner by a condition and does not stop the others; but a version that does not validate
and still has children stops its own Model, for to leave it out would drain it.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from slipway_contracts.conditions import ConditionStatus, ConditionType, Reason
from slipway_contracts.model import Model, ModelStatus
from slipway_contracts.model_version import ModelVersion, ModelVersionStatus, Outcome
from slipway_contracts.names import FINALIZER
from slipway_operator.errors import Conflict, Terminal, Transient
from slipway_operator.platforms.kubernetes.api import Api
from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.kinds import (
    JOBS,
    LABEL_VERSION,
    MODEL_VERSIONS,
    MODELS,
    RAY_SERVICES,
    Body,
    Kind,
    name_of,
    resource_version,
    uid_of,
)
from slipway_operator.platforms.kubernetes.lately import Lately
from slipway_operator.platforms.kubernetes.merge import difference
from slipway_operator.platforms.kubernetes.names_changed import NamesChanged

log = logging.getLogger(__name__)

KINDS = {"Model": MODELS, "ModelVersion": MODEL_VERSIONS}
# A condition's message is a sentence, not a report.
MESSAGE_LIMIT = 1024


class KubernetesObjects:
    """``ports.Objects`` for one namespace. ``ended`` hears how each attempt ends."""

    def __init__(
        self,
        api: Api,
        cache: Cache,
        *,
        ended: Callable[[Outcome], None] = lambda outcome: None,
    ) -> None:
        self._api = api
        self._cache = cache
        self._ended = ended
        self._models: Lately[Model] = Lately()
        self._versions: Lately[ModelVersion] = Lately()
        self._pruned: set[Kind] = set()

    async def read(self, model: str) -> tuple[Model | None, tuple[ModelVersion, ...]]:
        """The Model, or None, and its versions, oldest first."""
        versions = []
        for body in self._cache.of_model(MODEL_VERSIONS, model):
            version = await self._version(body)
            if version is not None:
                versions.append(version)
        found = self._cache.get(MODELS, model)
        owner = await self._model(found) if found is not None else None
        return owner, tuple(sorted(versions, key=_age))

    async def write_model_status(self, model: Model, status: ModelStatus) -> None:
        await self._write(MODELS, model, status.wire())

    async def write_version_status(self, version: ModelVersion, status: ModelVersionStatus) -> None:
        await self._write(MODEL_VERSIONS, version, status.wire())
        if status.outcome is not None and status.outcome != version.status.outcome:
            self._ended(status.outcome)

    async def release(self, obj: Model | ModelVersion) -> None:
        """Nothing, unless an older release or a client put our finalizer on: then take it off."""
        if FINALIZER not in obj.metadata.finalizers:
            return
        kind, name = KINDS[obj.kind], obj.metadata.name
        body = await self._api.get(kind, name)
        if body is None or uid_of(body) != obj.metadata.uid:
            return
        left = [other for other in body["metadata"].get("finalizers", ()) if other != FINALIZER]
        guard = {"uid": obj.metadata.uid, "resourceVersion": resource_version(body)}
        after = await self._api.patch(kind, name, {"metadata": guard | {"finalizers": left}})
        if after["metadata"].get("deletionTimestamp") and not left:
            self._cache.drop(kind, name, uid=obj.metadata.uid)
        else:
            self._cache.put(kind, after)

    async def watch(self) -> AsyncGenerator[str, None]:
        """Names of Models: all at the start, then each that changed or whose children did."""
        with NamesChanged(self._cache) as names:
            while True:
                yield await names.next()

    async def _model(self, body: Body) -> Model:
        known = self._models.get(_key(body))
        if known is not None:
            return known
        try:
            model = Model.model_validate(body)
        except ValidationError as error:
            await self._tell_invalid(MODELS, body, ConditionType.STALLED, "True", error)
            raise _invalid(MODELS, body, error) from error
        self._models.put(_key(body), model)
        return model

    async def _version(self, body: Body) -> ModelVersion | None:
        known = self._versions.get(_key(body))
        if known is not None:
            return known
        try:
            version = ModelVersion.model_validate(body)
        except ValidationError as error:
            await self._tell_invalid(MODEL_VERSIONS, body, ConditionType.ACCEPTED, "False", error)
            if self._has_children(body):
                raise _invalid(MODEL_VERSIONS, body, error) from error
            return None
        self._versions.put(_key(body), version)
        return version

    def _has_children(self, body: Body) -> bool:
        model, name = str(body["spec"].get("model")), name_of(body)
        children = [c for kind in (JOBS, RAY_SERVICES) for c in self._cache.of_model(kind, model)]
        return any(c["metadata"]["labels"].get(LABEL_VERSION) == name for c in children)

    async def _tell_invalid(
        self, kind: Kind, body: Body, type_: ConditionType, value: str, error: ValidationError
    ) -> None:
        """One condition on an object that cannot be understood, written once."""
        said: dict[str, Any] = {
            "type": type_.value,
            "status": ConditionStatus(value).value,
            "reason": Reason.INVALID.value,
            "message": _sentence(error),
            "observedGeneration": body["metadata"].get("generation", 0),
        }
        conditions = list((body.get("status") or {}).get("conditions") or ())
        if any(said.items() <= old.items() for old in conditions):
            return
        said["lastTransitionTime"] = datetime.now(UTC).isoformat()
        others = [old for old in conditions if old.get("type") != type_.value]
        after = await self._api.patch_status(
            kind,
            name_of(body),
            {"conditions": [*others, said]},
            resource_version=resource_version(body),
        )
        self._cache.put(kind, after)

    async def _write(self, kind: Kind, obj: Model | ModelVersion, wanted: dict[str, Any]) -> None:
        name = obj.metadata.name
        known = self._cache.get(kind, name)
        if known is None or _key(known) != (obj.metadata.uid, obj.metadata.resource_version):
            raise Conflict(f"{kind.kind} {name} changed since it was read")
        patch = difference(known.get("status") or {}, wanted)
        if not patch:
            return
        try:
            after = await self._api.patch_status(
                kind, name, patch, resource_version=obj.metadata.resource_version
            )
        except Conflict:
            raise
        except Transient:
            after = await self._written_after_all(kind, obj, wanted)
        self._cache.put(kind, after)
        self._check_kept(kind, after, wanted)

    async def _written_after_all(
        self, kind: Kind, obj: Model | ModelVersion, wanted: dict[str, Any]
    ) -> Body:
        """The answer was lost: was the write? Raises what ``get`` raises, or Conflict."""
        after = await self._api.get(kind, obj.metadata.name)
        if after is not None and uid_of(after) == obj.metadata.uid:
            if not difference(after.get("status") or {}, wanted):
                return after
            self._cache.put(kind, after)
        raise Transient(f"the status of {kind.kind} {obj.metadata.name} was not written", delay=0.5)

    def _check_kept(self, kind: Kind, after: Body, wanted: dict[str, Any]) -> None:
        """A CRD older than the operator drops fields without a word; say so once."""
        lost = difference(after.get("status") or {}, wanted)
        if lost and kind not in self._pruned:
            self._pruned.add(kind)
            log.error(
                "%s: the CRD drops status fields %s; apply this version's CRDs (docs: upgrade)",
                *(kind.kind, ", ".join(sorted(lost))),
            )


def _key(body: Body) -> tuple[str, str]:
    return uid_of(body), resource_version(body)


def _invalid(kind: Kind, body: Body, error: ValidationError) -> Terminal:
    return Terminal(
        f"{kind.kind} {name_of(body)} is not valid: {_sentence(error)}", reason=Reason.INVALID
    )


def _sentence(error: ValidationError) -> str:
    """Fields and what is wrong with them, then what to do."""
    said = "; ".join(
        f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()
    )
    return f"{said[:MESSAGE_LIMIT]}; correct it and apply again"


def _age(version: ModelVersion) -> tuple[float, str]:
    created = version.metadata.creation_timestamp
    return (created.timestamp() if created else 0.0, version.metadata.name)
