"""The object store's fixtures."""

from __future__ import annotations

from s3_fixtures import bucket, s3

__all__ = ["bucket", "s3"]
