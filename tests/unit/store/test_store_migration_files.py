"""The migration files as shipped, and what a wrong set of them says."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway_store import migrate
from slipway_store.errors import MigrationError
from slipway_store.migrate import load_migrations


def test_shipped_files_come_in_order_and_pairs() -> None:
    found = load_migrations()
    assert [migration.version for migration in found] == list(range(1, len(found) + 1))
    assert all(migration.up and migration.down for migration in found)


@pytest.mark.parametrize(
    ("names", "named"),
    [
        (["0001_a.up.sql"], "0001_a"),
        (["0001_a.up.sql", "0001_a.down.sql", "0003_c.up.sql", "0003_c.down.sql"], "0003_c"),
        (
            ["0001_a.up.sql", "0001_a.down.sql", "0001_b.up.sql", "0001_b.down.sql"],
            "0001_b",
        ),
    ],
    ids=["no down", "a gap", "a number twice"],
)
def test_a_wrong_set_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], named: str
) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    for name in [*names, "README.md"]:
        (folder / name).write_text("SELECT 1;")
    monkeypatch.setattr(migrate, "files", lambda _: tmp_path)
    with pytest.raises(MigrationError, match=named):
        load_migrations()
