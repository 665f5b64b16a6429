"""The package's error tree; every message names the URI and the fix.

StoreError
├── AddressInvalid   not of the form s3://BUCKET/PREFIX
├── Missing          no such bucket or object
├── Denied           no credentials, wrong ones, or rights that they lack
├── Occupied         another artifact lies there already
├── NoRoom           the disk here is too small for what is there
└── Unreachable      the store did not answer, after retries: the only one that may pass by waiting

What a store holds but may not be used raises the contract's ``ArtifactRefused`` and
``DigestMismatch``, as a folder would.
"""

from __future__ import annotations


class StoreError(Exception):
    """Root of everything that this package raises on purpose."""


class AddressInvalid(StoreError):
    """The URI is not the address of an object store."""


class Missing(StoreError):
    """Nothing is at the URI."""


class Denied(StoreError):
    """The store does not let these credentials in, or there are none."""


class Occupied(StoreError):
    """An artifact of another digest is at the URI; artifacts are never overwritten."""


class NoRoom(StoreError):
    """The local disk has less room than the artifact needs."""


class Unreachable(StoreError):
    """The store did not answer, or answered with errors of its own, as long as was waited."""
