"""Objects of local mode, with the API server's rules: optimistic concurrency, generations,
finalizers, watch.

Values go in and out as wire dictionaries that ``Model`` and ``ModelVersion`` validate; this module
knows no kind. Every write gets a new resource version from one sequence, so a stale one never
matches, not even after delete and create.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any
from uuid import uuid4

import asyncpg

from slipway_contracts.base import API_VERSION
from slipway_store.clean import refused_values
from slipway_store.connect import Pool
from slipway_store.errors import AlreadyExists, Conflict, NotFound
from slipway_store.watching import ObjectKey, watch_objects

_COLUMNS = """kind, namespace, name, uid, generation, resource_version, created_at, deleted_at,
    labels, annotations, finalizers, spec, status"""

Wire = dict[str, Any]
Wires = list[Wire]


class ObjectStore:
    """The verbs of the API server. Raises NotFound, AlreadyExists, Conflict, InvalidValue."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(
        self,
        kind: str,
        name: str,
        spec: Mapping[str, Any],
        *,
        namespace: str = "default",
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        finalizers: Sequence[str] = (),
    ) -> Wire:
        """A new object of generation 1 with a fresh uid."""
        try:
            row = await self._fetchrow(
                f"""INSERT INTO objects
                    (kind, namespace, name, uid, labels, annotations, finalizers, spec)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {_COLUMNS}""",
                *(kind, namespace, name, str(uuid4())),
                *(dict(labels or {}), dict(annotations or {}), list(finalizers), dict(spec)),
            )
        except asyncpg.UniqueViolationError as error:
            raise AlreadyExists(
                f"{kind} {name} exists in namespace {namespace}; update it or choose another name"
            ) from error
        assert row is not None
        return _wire(row)

    async def get(self, kind: str, name: str, *, namespace: str = "default") -> Wire:
        """One object; NotFound when there is none."""
        row = await self._fetchrow(
            f"SELECT {_COLUMNS} FROM objects WHERE kind = $1 AND namespace = $2 AND name = $3",
            *(kind, namespace, name),
        )
        if row is None:
            raise NotFound(f"{kind} {name} does not exist in namespace {namespace}")
        return _wire(row)

    async def list(self, kind: str, *, namespace: str | None = None) -> Wires:
        """All of a kind by name, in one namespace or (None) in all."""
        rows = await self._pool.fetch(
            f"""SELECT {_COLUMNS} FROM objects
            WHERE kind = $1 AND ($2::text IS NULL OR namespace = $2) ORDER BY namespace, name""",
            *(kind, namespace),
        )
        return [_wire(row) for row in rows]

    async def update_spec(
        self,
        kind: str,
        name: str,
        spec: Mapping[str, Any],
        *,
        namespace: str = "default",
        resource_version: str | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Wire:
        """Replace the spec (and labels, annotations where given). The generation rises only if the
        spec differs; where nothing differs nothing is written and nobody is notified.
        """
        row = await self._fetchrow(
            f"""UPDATE objects SET spec = $4, labels = coalesce($6, labels),
                annotations = coalesce($7, annotations),
                generation = generation + (spec IS DISTINCT FROM $4)::int,
                resource_version = nextval('resource_versions')
            WHERE kind = $1 AND namespace = $2 AND name = $3
                AND ($5::text IS NULL OR resource_version::text = $5)
                AND (spec IS DISTINCT FROM $4 OR labels IS DISTINCT FROM coalesce($6, labels)
                    OR annotations IS DISTINCT FROM coalesce($7, annotations))
            RETURNING {_COLUMNS}""",
            *(kind, namespace, name, dict(spec), resource_version),
            *(_optional(labels), _optional(annotations)),
        )
        if row is not None:
            return _wire(row)
        return await self._unchanged(kind, name, namespace, resource_version)

    async def update_status(
        self,
        kind: str,
        name: str,
        status: Mapping[str, Any],
        *,
        resource_version: str,
        namespace: str = "default",
    ) -> Wire:
        """Replace the status if the object is still as it was read; an equal one writes nothing."""
        row = await self._fetchrow(
            f"""UPDATE objects SET status = $4, resource_version = nextval('resource_versions')
            WHERE kind = $1 AND namespace = $2 AND name = $3 AND resource_version::text = $5
                AND status IS DISTINCT FROM $4 RETURNING {_COLUMNS}""",
            *(kind, namespace, name, dict(status), resource_version),
        )
        if row is not None:
            return _wire(row)
        return await self._unchanged(kind, name, namespace, resource_version)

    async def delete(
        self, kind: str, name: str, *, namespace: str = "default", uid: str | None = None
    ) -> bool:
        """Mark for deletion; the row goes at once when it has no finalizers. True when it is gone.

        Marking twice changes nothing. ``uid`` limits it to that very object (Conflict).
        """
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(
                """SELECT uid, deleted_at, finalizers FROM objects
                WHERE kind = $1 AND namespace = $2 AND name = $3 FOR UPDATE""",
                *(kind, namespace, name),
            )
            if row is None:
                raise NotFound(f"{kind} {name} does not exist in namespace {namespace}")
            if uid is not None and row["uid"] != uid:
                raise Conflict(f"{kind} {name} was replaced: its uid is {row['uid']}, not {uid}")
            if not row["finalizers"]:
                await connection.execute(
                    "DELETE FROM objects WHERE kind = $1 AND namespace = $2 AND name = $3",
                    *(kind, namespace, name),
                )
                return True
            if row["deleted_at"] is None:
                await connection.execute(
                    """UPDATE objects SET deleted_at = clock_timestamp(),
                        resource_version = nextval('resource_versions')
                    WHERE kind = $1 AND namespace = $2 AND name = $3""",
                    *(kind, namespace, name),
                )
            return False

    async def release(
        self, kind: str, name: str, *, namespace: str = "default", uid: str | None = None
    ) -> bool:
        """Take the finalizers off; a deleted object then goes. True when it is gone. Idempotent: an
        object that is not there is gone.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(
                """UPDATE objects SET finalizers = '[]',
                    resource_version = nextval('resource_versions')
                WHERE kind = $1 AND namespace = $2 AND name = $3
                    AND ($4::text IS NULL OR uid = $4)
                    AND (finalizers <> '[]' OR deleted_at IS NOT NULL)
                RETURNING deleted_at""",
                *(kind, namespace, name, uid),
            )
            if row is not None and row["deleted_at"] is not None:
                await connection.execute(
                    "DELETE FROM objects WHERE kind = $1 AND namespace = $2 AND name = $3",
                    *(kind, namespace, name),
                )
                return True
            there = await connection.fetchval(
                "SELECT uid FROM objects WHERE kind = $1 AND namespace = $2 AND name = $3",
                *(kind, namespace, name),
            )
            return there is None or (uid is not None and there != uid)

    def watch(self, dsn: str, *, relist_seconds: float = 30.0) -> AsyncGenerator[ObjectKey, None]:
        """(kind, namespace, name) of everything at the start, then of what was written or deleted.

        Everything again after a reconnect and every ``relist_seconds``; keys coalesce. Never ends
        and never raises while the server is away. Close it (``aclose``) to end its connection.
        """
        return watch_objects(self._pool, dsn, relist_seconds=relist_seconds)

    async def _fetchrow(self, sql: str, *args: object) -> asyncpg.Record | None:
        with refused_values():
            return await self._pool.fetchrow(sql, *args)

    async def _unchanged(
        self, kind: str, name: str, namespace: str, resource_version: str | None
    ) -> Wire:
        """After an update that matched no row: the object itself if it is merely unchanged."""
        current = await self.get(kind, name, namespace=namespace)
        found = current["metadata"]["resourceVersion"]
        if resource_version is not None and found != resource_version:
            raise Conflict(
                f"{kind} {name} was written since it was read (resource version {found}, not "
                f"{resource_version}): read it again and repeat"
            )
        return current


def _optional(values: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if values is None else dict(values)


def _wire(row: asyncpg.Record) -> Wire:
    metadata: Wire = {
        "name": row["name"],
        "namespace": row["namespace"],
        "uid": row["uid"],
        "generation": row["generation"],
        "resourceVersion": str(row["resource_version"]),
        "creationTimestamp": row["created_at"].isoformat(),
        "labels": row["labels"],
        "annotations": row["annotations"],
        "finalizers": row["finalizers"],
    }
    if row["deleted_at"] is not None:
        metadata["deletionTimestamp"] = row["deleted_at"].isoformat()
    return {
        "apiVersion": API_VERSION,
        "kind": row["kind"],
        "metadata": metadata,
        "spec": row["spec"],
        "status": row["status"],
    }
