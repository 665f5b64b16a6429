"""The real command, as a process, over a real PostgreSQL; the test plays the operator."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attempt_rows import T0, attempt

from slipway_cli.errors import ExitCode
from slipway_cli.local.layout import Layout, LocalState
from slipway_contracts.names import FINALIZER
from slipway_store import jobs
from slipway_store.attempts import ship
from slipway_store.connect import Pool, open_pool
from slipway_store.events import append
from slipway_store.keys import load_keys
from slipway_store.objects import ObjectStore

MANIFEST = """\
apiVersion: slipway.dev/v1alpha1
kind: ModelVersion
metadata: {name: v1, labels: {team: a}}
spec: {model: m, source: {random: {}}, rollout: {autoPromote: false}}
---
apiVersion: slipway.dev/v1alpha1
kind: Model
metadata: {name: m}
"""


class Command:
    """`slipway` with a home whose local.json points at the test's database."""

    def __init__(self, home: Path, dsn: str, pool: Pool) -> None:
        self.home, self.pool, self.objects = home, pool, ObjectStore(pool)
        Layout(home).write_state(
            LocalState(
                dsn=dsn,
                gateway_url="http://127.0.0.1:9",
                serve_url="",
                dashboard_url="",
                home=str(home),
            )
        )

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        environment = os.environ | {"SLIPWAY_HOME": str(self.home), "NO_COLOR": "1"}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "slipway_cli",
            *arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        process = await self.start(*arguments)
        out, err = await process.communicate()
        assert process.returncode is not None
        assert b"Traceback" not in err, err.decode()
        return process.returncode, out.decode(), err.decode()

    async def status(self, kind: str, name: str, **status: Any) -> None:
        """What the operator would write."""
        body = await self.objects.get(kind, name)
        merged = body["status"] | {"observedGeneration": body["metadata"]["generation"]} | status
        version = body["metadata"]["resourceVersion"]
        await self.objects.update_status(kind, name, merged, resource_version=version)

    async def spec(self, kind: str, name: str) -> dict[str, Any]:
        return (await self.objects.get(kind, name))["spec"]


@pytest.fixture
async def cli(tmp_path: Path, dsn: str) -> AsyncIterator[Command]:
    pool = await open_pool(dsn)
    (tmp_path / "m.yaml").write_text(MANIFEST)
    try:
        yield Command(tmp_path, dsn, pool)
    finally:
        await pool.close()


async def read_until(process: asyncio.subprocess.Process, needle: str) -> str:
    """The line of stdout that contains ``needle``."""
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while line := (await process.stdout.readline()).decode():
            if needle in line:
                return line
    raise AssertionError(f"the command ended before it printed {needle!r}")


async def end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def test_apply_stores_sparse_specs_with_the_drain_finalizer(cli: Command) -> None:
    code, out, _ = await cli.run("apply", "-f", str(cli.home / "m.yaml"))
    assert (code, out) == (0, "mdl/m created\nmv/v1 created\n")
    body = await cli.objects.get("ModelVersion", "v1")
    assert body["spec"] == {
        "model": "m",
        "source": {"random": {}},
        "rollout": {"autoPromote": False},
    }
    assert body["metadata"]["finalizers"] == [FINALIZER]
    assert body["metadata"]["labels"] == {"team": "a"}
    again, out, _ = await cli.run("apply", "-f", str(cli.home / "m.yaml"))
    assert (again, out) == (0, "mdl/m unchanged\nmv/v1 unchanged\n")
    assert (await cli.objects.get("ModelVersion", "v1"))["metadata"]["generation"] == 1


async def test_immutability_and_nothing_half_applied(cli: Command) -> None:
    await cli.run("apply", "-f", str(cli.home / "m.yaml"))
    changed = MANIFEST.replace("random: {}", "random: {seed: 7}") + "spec: {default: true}\n"
    (cli.home / "m.yaml").write_text(changed)
    code, _, err = await cli.run("apply", "-f", str(cli.home / "m.yaml"))
    assert code == 2
    assert "mv/v1: spec.source: is immutable" in err
    assert await cli.spec("Model", "m") == {}


async def test_labels_are_updated(cli: Command) -> None:
    await cli.run("apply", "-f", str(cli.home / "m.yaml"))
    (cli.home / "m.yaml").write_text(MANIFEST.replace("team: a", "team: b"))
    _, out, _ = await cli.run("apply", "-f", str(cli.home / "m.yaml"))
    assert out == "mdl/m unchanged\nmv/v1 configured\n"
    labels = (await cli.objects.get("ModelVersion", "v1"))["metadata"]["labels"]
    assert labels == {"team": "b"}


async def test_steering_writes_one_field(cli: Command) -> None:
    await cli.run("apply", "-f", str(cli.home / "m.yaml"))
    before = await cli.spec("ModelVersion", "v1")
    assert (await cli.run("pause", "v1"))[:2] == (0, "mv/v1 paused\n")
    assert await cli.spec("ModelVersion", "v1") == before | {"desiredState": "Paused"}
    # Applying the manifest again does not undo the pause.
    await cli.run("apply", "-f", str(cli.home / "m.yaml"))
    assert (await cli.spec("ModelVersion", "v1"))["desiredState"] == "Paused"


async def test_wait_sees_what_the_operator_writes(cli: Command) -> None:
    await cli.run("apply", "-f", str(cli.home / "m.yaml"))
    waiting = await cli.start("wait", "v1", "--for", "phase=Serving", "--timeout", "2m")
    try:
        await cli.status("ModelVersion", "v1", phase="Canary")
        await cli.status("ModelVersion", "v1", phase="Serving")
        async with asyncio.timeout(90):
            assert await waiting.wait() == 0
    finally:
        await end(waiting)


async def test_watch_prints_changes_until_the_version_has_settled(cli: Command) -> None:
    await cli.run("apply", "-f", str(cli.home / "m.yaml"))
    watching = await cli.start("watch", "v1")
    try:
        await read_until(watching, "Pending")
        await cli.status("ModelVersion", "v1", phase="Canary", rollout={"weightObserved": 10})
        assert "10 %" in await read_until(watching, "Canary")
        await cli.status("ModelVersion", "v1", phase="RolledBack")
        await read_until(watching, "RolledBack")
        async with asyncio.timeout(60):
            assert await watching.wait() == 1
    finally:
        await end(watching)


async def test_get_watch_prints_a_row_a_change(cli: Command) -> None:
    await cli.run("apply", "-f", str(cli.home / "m.yaml"))
    watching = await cli.start("get", "mv", "-w")
    try:
        await read_until(watching, "Pending")
        await cli.status("ModelVersion", "v1", phase="Training")
        assert (await read_until(watching, "Training")).startswith("v1")
        await cli.objects.delete("ModelVersion", "v1")
        await cli.objects.release("ModelVersion", "v1")
        await read_until(watching, "v1 deleted")
    finally:
        await end(watching)


async def test_delete_waits_for_the_drain(cli: Command) -> None:
    await cli.run("apply", "-f", str(cli.home / "m.yaml"))
    deleting = await cli.start("delete", "mv", "v1")
    try:
        async with asyncio.timeout(60):
            while (
                "deletionTimestamp" not in (await cli.objects.get("ModelVersion", "v1"))["metadata"]
            ):
                await asyncio.sleep(0.05)
        assert deleting.returncode is None
        await cli.objects.release("ModelVersion", "v1")
        async with asyncio.timeout(60):
            assert await deleting.wait() == 0
    finally:
        await end(deleting)


async def test_events_and_describe(cli: Command) -> None:
    await cli.run("apply", "-f", str(cli.home / "m.yaml"))
    for reason in ("Accepted", "TrainingRunning"):
        await append(
            cli.pool,
            kind="ModelVersion",
            name="v1",
            type="Normal",
            reason=reason,
            message=f"because {reason}",
        )
    _, out, _ = await cli.run("events", "v1")
    assert out.index("because Accepted") < out.index("because TrainingRunning")
    _, out, _ = await cli.run("describe", "mv", "v1")
    assert "because Accepted" in out


async def test_keys_live_in_the_database_as_hashes(cli: Command) -> None:
    _, secret, _ = await cli.run("keys", "create", "ci", "--model", "m")
    (record,) = (await load_keys(cli.pool)).values()
    assert record.matches(secret.strip())
    assert record.models == ("m",)
    code, out, _ = await cli.run("keys", "list", "-o", "json")
    assert code == 0
    assert [key["state"] for key in json.loads(out)] == ["live"]
    assert secret.strip() not in out
    assert (await cli.run("keys", "revoke", record.id))[0] == 0
    assert await load_keys(cli.pool) == {}
    assert (await cli.run("keys", "revoke", "nope"))[0] == 4


async def test_tenants_their_keys_and_their_usage(cli: Command) -> None:
    words = ("--requests-per-minute", "60", "--priority", "1")
    assert (await cli.run("tenants", "create", "acme", *words))[0] == 0
    assert (await cli.run("keys", "create", "k", "--tenant", "nobody"))[0] == 4
    _, old, _ = await cli.run("keys", "create", "k", "--tenant", "acme", "--endpoint", "chat")
    (record,) = (await load_keys(cli.pool)).values()
    assert (record.tenant, record.endpoints) == ("acme", ("chat",))
    _, new, _ = await cli.run("keys", "rotate", record.id, "--grace", "1h")
    (record,) = (await load_keys(cli.pool)).values()
    now = datetime.now(UTC)
    assert all(record.accepts(secret.strip(), now) for secret in (old, new))
    assert (await cli.run("tenants", "delete", "acme"))[0] == 5
    row = attempt(0, tenant="acme", key_id=record.id, prompt_tokens=3, completion_tokens=4)
    await ship(cli.pool, gateway="g", segment="s", offset=1, attempts=[row])
    day = str(T0.date())
    _, out, _ = await cli.run("usage", "--from", day, "--to", day, "--by", "tenant", "-o", "json")
    (line,) = json.loads(out)
    assert (line["tenant"], line["requests"], line["completion_tokens"]) == ("acme", 1, 4)
    actors = await cli.pool.fetch("SELECT DISTINCT actor FROM audit_log")
    assert [row["actor"].startswith("cli:") for row in actors] == [True]


async def test_logs_follow_a_running_run(cli: Command) -> None:
    (cli.home / "logs").mkdir()
    log = cli.home / "logs" / "operator.log"
    log.write_text("begun\n")
    following = await cli.start("logs", "-p", "operator", "-f")
    try:
        await read_until(following, "begun")
        with log.open("a") as file:
            file.write("more\n")
        await read_until(following, "more")
    finally:
        await end(following)


async def test_rollout_status_and_simulate_read_the_database(cli: Command) -> None:
    await cli.run("apply", "-f", str(cli.home / "m.yaml"))
    await cli.status("Model", "m", stable="v1")
    await cli.status("ModelVersion", "v1", rollout={"plan": [10], "step": 0})
    code, out, _ = await cli.run("rollout", "status", "m")
    assert code == 0
    assert "[10 %]" in out
    code, out, err = await cli.run("rollout", "simulate", "-m", "m", "--rollouts", "3")
    assert code == 0
    assert "no traffic in the last hour" in err
    assert "sequential" in out


async def test_a_database_that_is_gone(cli: Command, tmp_path: Path) -> None:
    state = Layout(tmp_path).read_state()
    assert state is not None
    gone = state.model_copy(update={"dsn": "postgresql://127.0.0.1:9/slipway"})
    Layout(tmp_path).write_state(gone)
    code, _, err = await cli.run("get", "mv")
    assert code == 3
    assert "slipway up" in err


async def test_a_damaged_state_file(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "local.json").write_text("{")
    code, _, err = await cli.run("get", "mv")
    assert code == 1
    assert "slipway down" in err


async def test_a_reader_that_goes_away_is_no_error(cli: Command) -> None:
    await cli.run("apply", "-f", str(cli.home / "m.yaml"))
    line = f"{sys.executable} -m slipway_cli get mv -w | head -1"
    environment = os.environ | {"SLIPWAY_HOME": str(cli.home)}
    process = await asyncio.create_subprocess_shell(
        line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        await read_until(process, "NAME")
        await cli.status("ModelVersion", "v1", phase="Training")
        async with asyncio.timeout(60):
            _, err = await process.communicate()
        assert err == b""
    finally:
        await end(process)


async def test_names_complete(cli: Command) -> None:
    await cli.run("apply", "-f", str(cli.home / "m.yaml"))
    environment = os.environ | {
        "SLIPWAY_HOME": str(cli.home),
        "_SLIPWAY_COMPLETE": "complete_bash",
        "COMP_WORDS": "slipway pause v",
        "COMP_CWORD": "2",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "slipway_cli",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert out.decode().split() == ["v1"], err.decode()


async def test_jobs_are_listed_and_dead_ones_queued_again(cli: Command) -> None:
    waiting = await jobs.enqueue(cli.pool, "question", {"question": 1}, tenant="acme")
    await cli.pool.execute(
        """INSERT INTO dead_jobs (id, kind, tenant, priority, payload, attempts, reason, created_at)
        VALUES (99, 'question', 'acme', 0, '{"question": 1}', 8, 'broken', now())"""
    )
    code, out, _ = await cli.run("jobs", "list", "-o", "json")
    assert code == 0
    assert [(job["id"], job["state"]) for job in json.loads(out)] == [
        *((99, "dead"), (waiting, "waiting"))
    ]
    assert (await cli.run("jobs", "retry", "99"))[:2] == (0, "job 99 queued again\n")
    code, _, err = await cli.run("jobs", "retry", "99")
    assert code == ExitCode.NOT_FOUND
    assert "slipway jobs list" in err
    assert [job.id for job in await jobs.list_queued(cli.pool)] == [waiting, 99]
