"""The object store as a fixture: one server a session, one bucket a test, its environment set.

Tests that need it are skipped, by name, where MinIO is not built (``deploy/cluster tools minio``).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from s3_server import S3Server, minio, s3_server

_numbers = itertools.count()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A running server."""
    if not minio().exists():
        pytest.skip("MinIO is not built: python3 deploy/cluster tools minio")
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket's name; this process's environment leads to its server."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{next(_numbers)}"
    s3.bucket(name)
    return name
