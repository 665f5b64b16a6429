"""PostgreSQL for whole operator processes: one server a session, an empty database a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from postgres_server import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def empty_dsn(postgres: PostgresServer) -> Iterator[str]:
    """A database that nobody has migrated."""
    name = postgres.create(migrated=False)
    yield postgres.dsn(name)
    postgres.drop(name)
