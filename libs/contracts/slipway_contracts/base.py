"""The pydantic bases and scalar types that all resources share.

Fields are snake_case in Python and camelCase on the wire. Specs refuse unknown fields, so that a
typo is an error that names the field; statuses ignore them, so that an old reader survives a new
writer. Everything is frozen: a change is a copy.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

API_VERSION: Literal["slipway.dev/v1alpha1"] = "slipway.dev/v1alpha1"
GROUP, VERSION = API_VERSION.split("/")

# So many digits are a century and more; the next would leave what a clock can add.
DURATION_PATTERN = r"^([0-9]{1,6}h)?([0-9]{1,8}m)?([0-9]{1,9}s)?([0-9]{1,9}ms)?$"
_DURATION = re.compile(r"(?:([0-9]{1,6})h)?(?:([0-9]{1,8})m)?(?:([0-9]{1,9})s)?(?:([0-9]{1,9})ms)?")


def parse_duration(value: object) -> timedelta:
    """``"1h30m"``, ``"90s"``, ``"250ms"`` → timedelta. Raises ValueError that shows the form."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        raise ValueError(f"{value!r} is not a duration; write it like '90s', '10m' or '1h30m'")
    hours, minutes, seconds, millis = (int(part or 0) for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds, milliseconds=millis)


def format_duration(value: timedelta) -> str:
    """The shortest form that ``parse_duration`` reads back to the same value."""
    total = round(value.total_seconds() * 1000)
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, total = divmod(total, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": DURATION_PATTERN, "minLength": 2, "maxLength": 32}
    ),
]
Name = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=63),
]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]
ShortText = Annotated[str, StringConstraints(max_length=256)]
LongText = Annotated[str, StringConstraints(max_length=8192)]
Uri = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[int, Field(ge=0, le=100)]


class Spec(BaseModel):
    """Base of what people write: frozen, camelCase, unknown fields refused."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, populate_by_name=True, frozen=True
    )

    def wire(self) -> dict[str, Any]:
        """The camelCase JSON form, without nulls."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def sparse(self) -> dict[str, Any]:
        """As ``wire``, but only what was written: defaults stay out, so that overrides merge."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)

    def overridden_by(self, other: Self | None) -> Self:
        """This value with every field that ``other`` sets; nested objects merge, lists replace."""
        if other is None:
            return self
        return type(self).model_validate(_merge(self.wire(), other.sparse()))


class Status(Spec):
    """Base of what Slipway writes: as Spec, but unknown fields are ignored."""

    model_config = ConfigDict(
        extra="ignore", alias_generator=to_camel, populate_by_name=True, frozen=True
    )


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


class ObjectMeta(Status):
    """The part of Kubernetes' ObjectMeta that both platforms keep."""

    name: Name
    namespace: Name = "default"
    uid: str = ""
    generation: int = 1
    resource_version: str = ""
    creation_timestamp: AwareDatetime | None = None
    deletion_timestamp: AwareDatetime | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()


def utc(seconds: float) -> datetime:
    """Unix seconds → aware UTC datetime."""
    return datetime.fromtimestamp(seconds, UTC)
