"""One object as the cache keeps it: bytes, and what is asked of it without reading them. Pure.

As Python objects thousands of bodies take eight times the memory, and a pass reads a few. What
nobody reads is left out: managed fields are as large as the object itself, we know what a pod is
made of, since we wrote it, and a controller's bookkeeping in a Job says nothing to us. So it shows
whether a newer body says anything new: half of the changes of Jobs and pods do not.
"""

from __future__ import annotations

from collections.abc import Set
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
    """``said``: a digest of what a Job or a pod tells, but for its resource version; None for what
    is always news. ``component``: run, backend or nothing. ``state``: for the census.
    """

    blob: bytes
    said: int | None
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

    def repeats(self, older: Kept) -> bool:
        """Whether it says no more than ``older``, of the same object, did."""
        same = self.uid == older.uid and self.model == older.model
        return same and self.said is not None and self.said == older.said


def keep(kind: Kind, body: Body, model: str) -> Kept:
    """``model``: whose object it is."""
    labels = body["metadata"].get("labels") or {}
    read = _read_by_us(kind, body)
    return Kept(
        blob=orjson.dumps(read),
        said=_said(read) if kind in {JOBS, PODS} else None,
        uid=uid_of(body),
        version=resource_version(body),
        model=intern(model),
        component=intern(str(labels.get(LABEL_COMPONENT, ""))),
        state=intern(state_of(body)),
    )


# Of each kind that others write, what is read of spec and status.
_JOB_SPEC = frozenset({"suspend"})
_JOB_STATUS = frozenset({"conditions", "failed"})
_POD_STATUS = frozenset({"phase", "conditions", "initContainerStatuses", "containerStatuses"})
_BOOKKEEPING = frozenset({"managedFields", "finalizers"})


def _read_by_us(kind: Kind, body: Body) -> Body:
    spec, status = body.get("spec") or {}, body.get("status") or {}
    if kind is JOBS:
        return body | {
            "metadata": _but(body["metadata"], _BOOKKEEPING),
            "spec": _only(spec, _JOB_SPEC),
            "status": _only(status, _JOB_STATUS),
        }
    if kind is PODS:
        # Which of the containers is asked for by name.
        named = [{"name": one["name"]} for one in spec.get("containers", ())]
        return body | {
            "metadata": _but(body["metadata"], _BOOKKEEPING),
            "spec": {"containers": named},
            "status": _only(status, _POD_STATUS),
        }
    return body | {"metadata": _but(body["metadata"], {"managedFields"})}


def _said(read: Body) -> int:
    unversioned = read["metadata"] | {"resourceVersion": ""}
    return hash(orjson.dumps(read | {"metadata": unversioned}))


def _only(part: Body, keys: Set[str]) -> Body:
    return {key: value for key, value in part.items() if key in keys}


def _but(part: Body, keys: Set[str]) -> Body:
    return {key: value for key, value in part.items() if key not in keys}
