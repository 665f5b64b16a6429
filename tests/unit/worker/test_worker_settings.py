"""Settings: names, bounds, secrets; and the migration's copy of pgqueuer's schema."""

from __future__ import annotations

import pytest
from pgqueuer.adapters.persistence import schema_ddl
from pydantic import ValidationError

from slipway_store.migrate import load_migrations
from slipway_worker.queue import NAMES
from slipway_worker.settings import Settings, reject_unknown

NEEDED = {"dsn": "postgresql://u:secret@h/d", "gateway_url": "http://gateway:8000"}


def test_secrets_are_not_shown() -> None:
    settings = Settings(**NEEDED, api_key="slw_0123456789ab_secretsecretsecretsecret")
    assert "secret" not in repr(settings) + str(settings.redacted())


def test_unknown_names_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="SLIPWAY_WORKER_CONCURENCY"):
        reject_unknown({"SLIPWAY_WORKER_CONCURENCY": "3", "SLIPWAY_GATEWAY_PORT": "1"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"gateway_url": "gateway:8000"},
        {"gateway_url": "http://gateway/v1"},
        {"concurrency": 0},
        {"tenant_concurrency": -1},
        {"retry_delay": 10, "retry_delay_limit": 5},
        {"heartbeat_timeout": 0},
        {"api_key": "sk-other"},
    ],
)
def test_wrong_values_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings(**NEEDED | wrong)


def test_the_migration_has_the_librarys_own_schema() -> None:
    """Fails when pgqueuer is upgraded to a version with another schema: write a migration."""
    wanted = schema_ddl.render_install(NAMES, create_schema=False)
    [migration] = [m for m in load_migrations() if m.title == "jobs"]
    for statement in wanted.strip().split("\n\nCREATE "):
        assert " ".join(statement.split()) in " ".join(migration.up.split())
