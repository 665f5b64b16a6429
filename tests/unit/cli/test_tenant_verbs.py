"""``tenants``, ``usage`` and what ``keys`` gained, over fakes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cli_fakes import Cli

from slipway_cli.errors import ExitCode
from slipway_store.quotas import LimitRules
from slipway_store.usage import Usage

TODAY = datetime.now(UTC).date()


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def line(**fields: object) -> Usage:
    base = {
        "day": TODAY,
        "tenant": "acme",
        "key_id": "k1",
        "model": "demo",
        "version": "v1",
        "requests": 3,
        "cached": 1,
        "attempts": 4,
        "errors": 1,
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "gpu_seconds": 1.5,
    }
    return Usage(**base | fields)  # type: ignore[arg-type]


def test_a_tenant_from_its_making_to_its_end(cli: Cli) -> None:
    made = cli.run("tenants", "create", "acme", "--requests-per-minute", "600", "--priority", "2")
    assert (made.code, made.out) == (0, "tenant acme created\n")
    assert cli.run("tenants", "create", "acme").code == ExitCode.CONFLICT
    cli.run("tenants", "set", "acme", "--weight", "2", "--text-policy", "hashed")
    cli.run("tenants", "set", "acme", "--tokens-per-day", "100", "--requests-per-minute", "0")
    settings = cli.tenants.known["acme"].settings
    assert (settings.priority, settings.weight, settings.text_policy) == (2, 2.0, "hashed")
    assert settings.limits == LimitRules(tokens_per_day=100)
    row = cli.run("tenants", "list").out.splitlines()[1]
    assert row.split() == ["acme", "2", "2", "hashed", "100", "tpd"]
    (shown,) = json.loads(cli.run("tenants", "list", "-o", "json").out)
    assert shown["limits"] == {"tokens_per_day": 100}
    cli.run("tenants", "set", "acme", "--text-policy", "default")
    assert cli.tenants.known["acme"].settings.text_policy is None
    assert cli.run("tenants", "delete", "acme").out == "tenant acme deleted\n"
    assert cli.run("tenants", "delete", "acme").code == ExitCode.NOT_FOUND
    assert "no tenants yet" in cli.run("tenants", "list").err


@pytest.mark.parametrize(
    "words",
    [
        ("tenants", "create", "a b"),
        ("tenants", "create", "acme", "--text-policy", "some"),
        ("tenants", "create", "acme", "--requests-per-minute", "-1"),
        ("tenants", "create", "acme", "--weight", "0"),
        ("keys", "create", "k", "--endpoint", "everything"),
        ("keys", "rotate", "id0", "--grace", "soon"),
        ("usage", "--from", "yesterday"),
        ("usage", "--to", "2026-02-01", "--from", "2026-02-02"),
        ("usage", "--by", "colour"),
    ],
    ids=" ".join,
)
def test_wrong_input_names_its_option(
    cli: Cli, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    ran = cli.run(*words)
    assert ran.code == ExitCode.INVALID
    # A wrong type is the parser's to tell, on the process's own stderr.
    told = ran.err + capsys.readouterr().err
    assert words[-2].replace("create", "NAME") in told


def test_a_key_with_scopes_and_limits(cli: Cli) -> None:
    words = ("--tenant", "acme", "--endpoint", "chat", "--endpoint", "admin", "--concurrency", "4")
    assert cli.run("keys", "create", "ci", *words).code == 0
    record = cli.keys.records["id0"]
    assert (record.tenant, record.endpoints) == ("acme", ("chat", "admin"))
    assert record.limits == LimitRules(concurrency=4)
    wide = cli.run("keys", "list", "-o", "wide", "--tenant", "acme").out.splitlines()[1]
    assert "acme     chat,admin   4 at once" in wide
    assert "no keys yet" in cli.run("keys", "list", "--tenant", "other").err


def test_rotating_prints_the_new_secret_alone(cli: Cli) -> None:
    cli.run("keys", "create", "ci")
    ran = cli.run("keys", "rotate", "id0", "--grace", "10m")
    assert ran.out == "slw_id0_new\n"
    assert "good until" in ran.err
    until = cli.keys.records["id0"].retired_until
    assert until is not None
    assert timedelta(minutes=9) < until - datetime.now(UTC) <= timedelta(minutes=10)
    assert cli.run("keys", "rotate", "zz").code == ExitCode.NOT_FOUND


def test_usage_is_summed_by_what_is_asked(cli: Cli) -> None:
    cli.usage.lines = [
        line(),
        line(key_id="k2", requests=2),
        line(tenant="other", version="v2", gpu_seconds=None),
        line(day=TODAY - timedelta(days=30)),
    ]
    summed = json.loads(cli.run("usage", "--by", "tenant", "-o", "json").out)
    assert [(entry["tenant"], entry["requests"]) for entry in summed] == [("acme", 5), ("other", 3)]
    assert [entry["gpu_seconds"] for entry in summed] == [3.0, None]
    rows = cli.run("usage", "--tenant", "acme").out.splitlines()
    assert rows[0].split()[:5] == ["DAY", "TENANT", "KEY", "MODEL", "VERSION"]
    assert len(rows) == 3
    far = cli.run("usage", "--from", "2020-01-01", "--to", "2020-01-02")
    assert "nothing was used" in far.err
