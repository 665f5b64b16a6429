"""``s3://BUCKET/PREFIX`` taken apart and put together. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from slipway_artifacts.errors import AddressInvalid

SCHEME = "s3://"
# S3's own rule for buckets; keys without what would need escaping in a URI, a path or a request.
_FORM = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<key>(?:/[A-Za-z0-9_=+@-][A-Za-z0-9._=+@-]*)*)/?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A bucket, and a prefix (or key) in it without slashes around it; it may be empty."""

    bucket: str
    prefix: str = ""

    def key(self, relative: str) -> str:
        """The key of what lies at ``relative`` below the prefix."""
        return f"{self.prefix}/{relative}" if self.prefix else relative

    def uri(self, relative: str = "") -> str:
        """The address as people write it."""
        parts = (part for part in (self.bucket, self.prefix, relative) if part)
        return SCHEME + "/".join(parts)


def is_object_store(uri: str) -> bool:
    """Whether the URI's scheme is the one that this package reads."""
    return uri.startswith(SCHEME)


def parse_address(uri: str) -> Address:
    """Bucket and prefix. Raises AddressInvalid that shows the form."""
    match = _FORM.fullmatch(uri)
    if match is None:
        raise AddressInvalid(f"{uri!r} is not of the form s3://BUCKET/PREFIX; correct the uri")
    return Address(bucket=match["bucket"], prefix=match["key"].strip("/"))
