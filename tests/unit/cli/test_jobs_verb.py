"""``slipway jobs``: what it prints, what it refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cli_fakes import Cli

from slipway_cli.errors import ExitCode
from slipway_store.jobs import DeadJob, QueuedJob

BEFORE = datetime.now(UTC) - timedelta(hours=30, seconds=20)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    one = Cli(tmp_path)
    one.jobs.given_up = [
        DeadJob(
            id=7,
            kind="question",
            tenant="acme",
            attempts=8,
            reason="the gateway answered 502\nmore",
            created_at=BEFORE,
            died_at=BEFORE,
        )
    ]
    one.jobs.waiting = [
        QueuedJob(
            id=9,
            kind="question",
            tenant="",
            state="running",
            priority=0,
            attempts=1,
            created_at=BEFORE,
            due=BEFORE,
        )
    ]
    return one


def test_list_shows_dead_jobs_first_with_the_reasons_first_line(cli: Cli) -> None:
    lines = cli.run("jobs", "list").out.splitlines()
    assert lines[0].split() == ["ID", "KIND", "TENANT", "STATE", "ATTEMPTS", "AGE", "REASON"]
    assert lines[1].split()[:6] == ["7", "question", "acme", "dead", "8", "30h"]
    assert lines[1].endswith("the gateway answered 502")
    assert lines[2].split() == ["9", "question", "-", "running", "1", "30h"]


def test_list_as_json_has_everything(cli: Cli) -> None:
    dead, queued = json.loads(cli.run("jobs", "list", "-o", "json").out)
    assert (dead["id"], dead["state"], dead["reason"]) == (7, "dead", cli.jobs.given_up[0].reason)
    assert (queued["id"], queued["state"]) == (9, "running")


def test_list_of_nothing_says_so(tmp_path: Path) -> None:
    ran = Cli(tmp_path).run("jobs", "list")
    assert (ran.code, ran.out) == (0, "")
    assert "no jobs" in ran.err


def test_retry_by_id_and_all(cli: Cli) -> None:
    assert cli.run("jobs", "retry", "7").out == "job 7 queued again\n"
    assert cli.run("jobs", "retry", "7").code == ExitCode.NOT_FOUND
    assert "no dead job" in cli.run("jobs", "retry", "--all").err


@pytest.mark.parametrize("arguments", [(), ("7", "--all"), ("seven",)])
def test_retry_wants_ids_or_all(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert cli.run("jobs", "retry", *arguments).code == ExitCode.INVALID
    assert len(cli.jobs.given_up) == 1
