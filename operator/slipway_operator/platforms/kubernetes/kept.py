"""One object as the cache keeps it: bytes, and what is asked of it without reading them. Pure.

As Python objects thousands of bodies take eight times the memory, and a pass reads a few. What
nobody reads is left out: managed fields are as large as the object itself, and of a pod and of a
Job's template we know what they say, since we wrote them.
"""

from __future__ import annotations

from dataclasses import dataclass
from sys import intern

import orjson

from slipway_operator.platforms.kubernetes.kinds import (
    JOBS,
    LABEL_COMPONENT,
    PODS,
    Body,
    Kind,
    resource_version,
    revision,
    state_of,
    uid_of,
)


@dataclass(frozen=True, slots=True)
class Kept:
    """``component``: run, backend or nothing. ``state``: for the census."""

    blob: bytes
    uid: str
    version: str
    model: str
    component: str
    state: str

    @property
    def body(self) -> Body:
        """A copy for whoever asks."""
        body: Body = orjson.loads(self.blob)
        return body

    def covers(self, body: Body) -> bool:
        """Whether ``body`` tells nothing that is newer."""
        mine, theirs = revision(self.version), revision(resource_version(body))
        return mine >= theirs and not (mine == theirs == 0)


def keep(kind: Kind, body: Body, model: str) -> Kept:
    """``model``: whose object it is."""
    labels = body["metadata"].get("labels") or {}
    return Kept(
        blob=orjson.dumps(_read_by_us(kind, body)),
        uid=uid_of(body),
        version=resource_version(body),
        model=intern(model),
        component=intern(str(labels.get(LABEL_COMPONENT, ""))),
        state=intern(state_of(body)),
    )


def _read_by_us(kind: Kind, body: Body) -> Body:
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    spec = body.get("spec")
    if kind is PODS and spec:
        # Which of the containers is asked for by name.
        named = [{"name": one["name"]} for one in spec.get("containers", ())]
        return body | {"metadata": metadata, "spec": {"containers": named}}
    if kind is JOBS and spec:
        spec = {key: value for key, value in spec.items() if key != "template"}
        return body | {"metadata": metadata, "spec": spec}
    return body | {"metadata": metadata}
