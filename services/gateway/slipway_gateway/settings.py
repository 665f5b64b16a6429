"""Everything that can be set about one gateway process, read from ``SLIPWAY_GATEWAY_*``.

The only place that looks at the environment. Times are seconds, sizes bytes. Unknown names are
refused by ``reject_unknown`` so that a typo does not silently keep a default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from slipway_store.keys import id_of
from slipway_store.partitions import MIN_DAYS

PREFIX = "SLIPWAY_GATEWAY_"
# Asymmetric only: a published key must never verify as a shared secret.
TOKEN_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """One process's settings; see each field."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, hide_input_in_errors=True)

    dsn: SecretStr = Field(description="PostgreSQL of routes, keys and the attempts log")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    own_port: int = Field(
        default=0,
        ge=0,
        le=65_535,
        description="also listen on this port of 127.0.0.1, that no sibling shares: whoever reads "
        "/metrics of the shared port reads any one process; 0: not",
    )
    slot: str = Field(
        default="0",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        description="this process's name among its siblings; the same slot replays the same log",
    )
    state_dir: Path | None = Field(
        default=None,
        description="the slot's own folder: log segments, last routes and key hashes; "
        "empty: ~/.slipway/gateway/SLOT",
    )

    keyless_loopback: bool = Field(
        default=True, description="calls from this machine need no key; set false in a cluster"
    )
    first_key: SecretStr | None = Field(
        default=None, description="an API key to store if its id is unknown: a cluster's first call"
    )
    keys_ttl: Seconds = Field(
        default=3600, description="known keys are accepted this long without PostgreSQL"
    )

    first_admin_key: SecretStr | None = Field(
        default=None, description="as first_key, for /admin only: who makes the other keys"
    )
    key_pepper: SecretStr | None = Field(
        default=None,
        description="a server secret, the same in every process: new keys are stored as HMAC under "
        "it, and are worthless without it; older keys stay as they are",
    )
    limits_without_database: Literal["open", "closed"] = Field(
        default="open",
        description="when leased quota is used up and PostgreSQL is away: go on with this "
        "process's share of each limit, or refuse with 503",
    )
    jwt_jwks_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s@]+$",
        description="accept tokens signed with the keys that are published here",
    )
    jwt_issuer: str | None = Field(default=None, description="the tokens' iss")
    jwt_audience: str | None = Field(default=None, description="one of the tokens' aud")
    jwt_algorithms: str = Field(
        default="RS256,ES256", description="accepted signatures, with commas; never HS or none"
    )
    jwt_leeway: float = Field(default=30, ge=0, le=300, description="clock skew")
    jwt_refresh: Seconds = Field(default=300, description="between two fetches of the keys")
    jwt_tenant_claim: str = Field(default="tenant", min_length=1)
    jwt_scope_claim: str | None = Field(
        default=None,
        description="a claim with model:NAME and endpoint:NAME entries; empty: not looked at",
    )

    body_limit: int = Field(default=8 * 1024 * 1024, ge=1024)
    file_limit: int = Field(
        default=100 * 1024 * 1024, ge=1024, description="an uploaded file, which is never in memory"
    )
    files_limit: int = Field(
        default=10 * 1024**3,
        ge=0,
        description="bytes of all files that a tenant may have stored, with what batches wrote; "
        "beyond it uploads are refused; 0: no limit",
    )
    header_limit: int = Field(default=32 * 1024, ge=1024, description="all header bytes together")
    header_count_limit: int = Field(default=100, ge=10)
    header_timeout: Seconds = Field(default=10, description="for the whole request head")
    body_timeout: Seconds = Field(default=30, description="for the whole request body")
    keep_alive: int = Field(
        default=75, ge=1, description="idle connections stay open; above the balancer's own time"
    )
    client_timeout: Seconds = Field(default=60, description="a client that stops reading is cut")

    connect_timeout: Seconds = 2
    first_byte_timeout: Seconds = Field(default=300, description="until the engine's first byte")
    idle_timeout: Seconds = Field(default=60, description="between two chunks of a stream")
    total_timeout: Seconds = Field(default=900, description="for one whole attempt")
    answer_limit: int = Field(
        default=64 * 1024 * 1024, ge=1024, description="a whole answer that is not a stream"
    )

    concurrency_start: int = Field(
        default=1024, ge=1, description="requests at one backend at once, until it shows its own"
    )
    queue_limit: int = Field(default=1024, ge=0, description="requests that wait for one backend")
    queue_timeout: Seconds = Field(default=5, description="a request waits at most this long")

    cache_bytes: int = Field(
        default=0,
        ge=0,
        description="memory for whole answers at temperature 0, given again to the same question; "
        "0: off",
    )
    cache_ttl: Seconds = Field(default=300, description="an answer is given again so long")

    remote_media: bool = Field(
        default=False,
        description="engines may fetch the addresses of images and sound in chats; else only data: "
        "URLs pass. What an engine can reach is then what every client can reach",
    )
    shadow_concurrency: int = Field(default=8, ge=0, description="copies beyond this are dropped")
    batch_limit: int = Field(default=64, ge=1, description="texts in one /forward_batch")

    log_text_policy: Literal["full", "hashed", "none"] = Field(
        default="full",
        description="what request_logs keeps of prompts and answers: full, hashed or none; a "
        "tenant may have its own",
    )
    log_text_limit: int = Field(default=16_384, ge=0, description="characters kept of each")
    log_hash_key: SecretStr | None = Field(
        default=None, description="hashed texts are HMACs under it; empty: plain SHA-256"
    )
    redact: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$",
        description="a function str -> str as package.module:function, called with every text "
        "before it is kept",
    )
    log_retention_days: int = Field(
        default=30, ge=0, description="rows older than this go; 0: never. Not less than 2"
    )
    ship_interval: Seconds = 0.25
    sync_interval: Seconds = Field(default=0.05, description="between two fsyncs of the segment")
    segment_limit: int = Field(default=16 * 1024 * 1024, ge=4096)
    segments_limit: int = Field(
        default=512 * 1024 * 1024,
        ge=8192,
        description="bytes that may wait for PostgreSQL: beyond it texts go, beyond twice it rows",
    )
    batch_rows: int = Field(default=1000, ge=1, description="rows shipped in one transaction")

    drain_delay: float = Field(
        default=0, ge=0, description="not ready, still accepting: until the balancer has noticed"
    )
    shutdown_grace: Seconds = Field(default=60, description="for streams to finish after SIGTERM")
    flush_timeout: Seconds = Field(default=5, description="for the log's last batch at exit")

    @field_validator("first_key")
    @classmethod
    def _is_a_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and id_of(key.get_secret_value()) is None:
            raise ValueError("must be of the form slw_<12 hex digits>_<20 to 100 characters>")
        return key

    @field_validator("log_retention_days")
    @classmethod
    def _outlives_a_step(cls, days: int) -> int:
        if 0 < days < MIN_DAYS:
            raise ValueError(f"must be 0 (for ever) or at least {MIN_DAYS}")
        return days

    @field_validator("first_admin_key")
    @classmethod
    def _is_an_admin_key(cls, key: SecretStr | None) -> SecretStr | None:
        return cls._is_a_key(key)

    @field_validator("jwt_algorithms")
    @classmethod
    def _is_asymmetric(cls, value: str) -> str:
        wrong = [name for name in value.split(",") if name.strip() not in TOKEN_ALGORITHMS]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: use some of {', '.join(TOKEN_ALGORITHMS)}")
        return ",".join(name.strip() for name in value.split(","))

    @model_validator(mode="after")
    def _tokens_are_bound(self) -> Settings:
        if self.jwt_jwks_url and not (self.jwt_issuer and self.jwt_audience):
            raise ValueError("jwt_jwks_url needs jwt_issuer and jwt_audience beside it")
        return self

    @property
    def slot_dir(self) -> Path:
        """Where this slot keeps its files."""
        folder = self.state_dir or Path("~/.slipway/gateway") / self.slot
        return folder.expanduser()

    def redacted(self) -> dict[str, Any]:
        """For the log line at start."""
        return self.model_dump(mode="json")


def load_settings() -> Settings:
    """From the environment. Raises ValueError that names the setting."""
    reject_unknown(os.environ)
    return Settings()


def reject_unknown(environ: Mapping[str, str]) -> None:
    """Raise ValueError for a ``SLIPWAY_GATEWAY_`` name that no field has."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    wrong = sorted(n for n in map(str.upper, environ) if n.startswith(PREFIX) and n not in known)
    if wrong:
        raise ValueError(f"unknown setting {', '.join(wrong)}; known: {', '.join(sorted(known))}")
