"""Fixtures of the hermetic tier: one PostgreSQL a session, one fresh database a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from postgres_server import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The session's server."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def dsn(postgres: PostgresServer) -> Iterator[str]:
    """A fresh, migrated database."""
    name = postgres.create()
    yield postgres.dsn(name)
    postgres.drop(name)


@pytest.fixture
def empty_dsn(postgres: PostgresServer) -> Iterator[str]:
    """A fresh database without any table."""
    name = postgres.create(migrated=False)
    yield postgres.dsn(name)
    postgres.drop(name)
