"""What clients send to and get from ``/admin``, as pydantic models. Unknown fields are refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from slipway_store.keys import Endpoint, KeyRecord, NewKey
from slipway_store.quotas import LimitRules
from slipway_store.tenants import NAME, Tenant, TenantSettings

Name = Annotated[str, Field(pattern=f"^{NAME.pattern}$", examples=["acme"])]
Limit = Annotated[int, Field(ge=1, le=10**15)]
Priority = Annotated[int, Field(ge=-100, le=100)]
LONGEST_GRACE = 30 * 86_400


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Limits(_Body):
    """Of a key or tenant, over all gateways; what is left out is not limited."""

    requests_per_minute: Limit | None = None
    tokens_per_minute: Limit | None = None
    tokens_per_day: Limit | None = None
    concurrency: Limit | None = None

    def rules(self) -> LimitRules:
        """For the store."""
        return LimitRules(**self.model_dump())


class TenantBody(_Body):
    """A tenant's settings, whole. ``text_policy`` null: the gateway's own."""

    priority: Priority = Field(default=0, description="higher is served first")
    weight: float = Field(default=1, gt=0, le=1000, description="share under load")
    text_policy: Literal["full", "hashed", "none"] | None = None
    limits: Limits = Field(default_factory=Limits)

    def settings(self) -> TenantSettings:
        """For the store."""
        return TenantSettings(
            priority=self.priority,
            weight=self.weight,
            text_policy=self.text_policy,
            limits=self.limits.rules(),
        )


class NewTenant(TenantBody):
    """A tenant to create."""

    name: Name


class TenantView(TenantBody):
    """A stored tenant."""

    name: str
    created_at: datetime

    @staticmethod
    def of(tenant: Tenant) -> TenantView:
        """As it is shown."""
        return TenantView(**tenant.shown(), created_at=tenant.created_at)


class NewKeyBody(_Body):
    """A key to create. Lists that are empty mean all; ``admin`` is only there by name."""

    name: str = Field(min_length=1, max_length=128, description="whose or what for")
    tenant: Name | None = Field(default=None, description="null: a tenant of the key's own name")
    models: list[Name] = Field(default_factory=list, max_length=100)
    endpoints: list[Endpoint] = Field(default_factory=list)
    limits: Limits = Field(default_factory=Limits)
    priority: Priority | None = Field(default=None, description="null: the tenant's")
    expires_at: AwareDatetime | None = None
    expires_in_seconds: int | None = Field(default=None, ge=1, le=100 * 366 * 86_400)

    @model_validator(mode="after")
    def _one_end_in_the_future(self) -> NewKeyBody:
        if self.expires_at is not None and self.expires_in_seconds is not None:
            raise ValueError("give expires_at or expires_in_seconds, not both")
        if self.expires_at is not None and self.expires_at <= datetime.now(UTC):
            raise ValueError("expires_at is in the past")
        return self

    def new(self) -> NewKey:
        """For the store."""
        expires_at = self.expires_at
        if self.expires_in_seconds is not None:
            expires_at = datetime.now(UTC) + timedelta(seconds=self.expires_in_seconds)
        return NewKey(
            name=self.name,
            tenant=self.tenant,
            models=self.models,
            endpoints=self.endpoints,
            limits=self.limits.rules(),
            priority=self.priority,
            expires_at=expires_at,
        )


class Rotation(_Body):
    """How a key's secret is replaced."""

    grace_seconds: int = Field(
        default=3600, ge=0, le=LONGEST_GRACE, description="the old secret is good for so long"
    )


class KeyView(BaseModel):
    """A stored key; its secret is stored nowhere."""

    id: str
    name: str
    tenant: str
    models: list[str]
    endpoints: list[str]
    limits: Limits
    priority: int | None
    state: Literal["live", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    old_secret_until: datetime | None
    last_used: date | None

    @staticmethod
    def of(record: KeyRecord) -> KeyView:
        """As it is shown."""
        shown: dict[str, Any] = record.shown()
        return KeyView.model_validate(shown | {"state": state_of(record)})


class KeyWithSecret(BaseModel):
    """``secret`` is shown this once."""

    key: KeyView
    secret: str


class UsageLine(BaseModel):
    """One day of one key at one version. ``gpu_seconds`` null: its GPUs are not known."""

    day: date
    tenant: str
    key_id: str
    model: str
    version: str
    requests: int
    cached: int
    attempts: int
    errors: int
    prompt_tokens: int
    completion_tokens: int
    gpu_seconds: float | None


class AuditLine(BaseModel):
    """One change. ``before`` null: it was made; ``after`` null: it was deleted."""

    id: int
    at: datetime
    actor: str
    action: str
    target: str
    request_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def state_of(record: KeyRecord) -> Literal["live", "expired", "revoked"]:
    """Now."""
    if record.revoked_at is not None:
        return "revoked"
    return "live" if record.live(datetime.now(UTC)) else "expired"
