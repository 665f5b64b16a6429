"""One line of any process's log: the definition that the formatter writes and the schema tells.

``docs/logs.schema.json`` is generated from ``LogLine``, and what an index needs from that. A field
is added here, never by who logs: what else is given as ``extra`` goes into ``data``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# Of characters; what is longer is cut, and says so.
MESSAGE_LIMIT = 8_192
TRACEBACK_LIMIT = 16_384
VALUE_LIMIT = 512
DATA_LIMIT = 24


class Service(StrEnum):
    """Who writes."""

    GATEWAY = "gateway"
    OPERATOR = "operator"
    WORKER = "worker"
    ENGINE = "engine"
    TRAINING = "training"


class Level(StrEnum):
    """How bad it is."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


Value = Annotated[str, Field(max_length=VALUE_LIMIT)]


class LogLine(BaseModel):
    """A line. Fields beside the first five are there only where they are known."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="A line of a Slipway process")

    time: str = Field(
        description="RFC 3339, UTC, microseconds",
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$",
        json_schema_extra={"format": "date-time"},
    )
    level: Level = Field(description="how bad it is")
    service: Service = Field(description="the process's kind")
    logger: Value = Field(description="the part of the program")
    message: str = Field(
        description="what happened; never a prompt, an answer or a secret",
        max_length=MESSAGE_LIMIT,
    )
    model: Value | None = Field(default=None, description="name of the Model")
    version: Value | None = Field(default=None, description="name of the ModelVersion")
    request_id: Value | None = Field(
        default=None, description="X-Request-ID; request_logs has the same"
    )
    tenant: Value | None = Field(default=None, description="id of the tenant, never a key")
    step: int | None = Field(default=None, description="step of a rollout or of a training run")
    revision: int | None = Field(default=None, description="revision of the routes")
    trace_id: str | None = Field(
        default=None, description="W3C trace context, where traced", pattern="^[0-9a-f]{32}$"
    )
    span_id: str | None = Field(
        default=None, description="the span in it", pattern="^[0-9a-f]{16}$"
    )
    error: str | None = Field(
        default=None, description="what went wrong, in its own words", max_length=MESSAGE_LIMIT
    )
    traceback: str | None = Field(
        default=None, description="of an exception nobody expected", max_length=TRACEBACK_LIMIT
    )
    data: dict[Value, Value] | None = Field(
        default=None,
        description="whatever else is known, as text; searched, never counted by",
        max_length=DATA_LIMIT,
    )
