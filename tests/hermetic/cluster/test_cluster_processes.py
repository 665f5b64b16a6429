"""Processes found again, stopped for certain, and never mistaken; tools built once and whole."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from slipway_cluster import cache, tools
from slipway_cluster.errors import ClusterError, ProcessError
from slipway_cluster.processes import Process, start_time, wait_until

PATIENCE = 30.0
FAKE_GO = """#!/bin/sh
case "$1 $2" in
  "env GOVERSION") echo go1.26.8 ;;
  "build "*)
    echo built >> "$FAKE_GO_LOG"
    while [ "$1" != -o ]; do shift; done
    [ -z "$FAKE_GO_FAILS" ] || { echo partial > "$2"; echo no such package >&2; exit 1; }
    sleep 0.2; echo binary > "$2" ;;
esac
"""


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(home=tmp_path, name="it")


def test_a_process_is_found_again_and_stopped(process: Process) -> None:
    pid = process.start(["sleep", "600"])
    assert Process(home=process.home, name="it").pid() == pid
    process.stop()
    assert process.pid() is None
    assert not start_time(pid)


def test_one_that_ignores_its_end_is_killed(process: Process) -> None:
    pid = process.start(["sh", "-c", "trap '' TERM; echo armed; while :; do sleep 0.1; done"])
    assert wait_until(lambda: "armed" in process.tail(), seconds=PATIENCE)
    process.stop(patience=0.2)
    assert not start_time(pid)


def test_a_recycled_pid_is_nobody_of_ours(process: Process) -> None:
    process.pid_file.write_text(f"{os.getpid()} 1\n", "utf-8")
    assert process.pid() is None
    process.stop()  # and this very process lives on


def test_one_that_ended_before_it_was_noted_runs_no_more(process: Process) -> None:
    process.pid_file.write_text(f"{2**22 + 1} 0\n", "utf-8")
    assert process.pid() is None


def test_an_early_end_shows_the_logs_end(process: Process) -> None:
    process.start(["sh", "-c", "echo cannot listen; exit 3"])
    with pytest.raises(ProcessError, match=r"it ended early(.|\n)*cannot listen"):
        process.await_ready(lambda: False, seconds=PATIENCE)


def test_a_leash_ends_what_a_killed_process_leaves(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from slipway_cluster.processes import *\n"
        "pid = Process(home=Path(sys.argv[1]), name='it').start(['sleep', '600'])\n"
        "leash = Leash([pid]); print(pid, flush=True); os.kill(os.getpid(), 9)"
    )
    package = Path(tools.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(package)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert wait_until(lambda: not start_time(int(done.stdout)), seconds=PATIENCE)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> cache.Folders:
    go = tmp_path / "path" / "go"
    go.parent.mkdir()
    go.write_text(FAKE_GO, "utf-8")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_GO_LOG", str(tmp_path / "builds"))
    return cache.Folders(cache=tmp_path / "cache", state=tmp_path / "state")


def test_two_callers_build_once(folders: cache.Folders, tmp_path: Path) -> None:
    said: list[str] = []
    callers = [
        threading.Thread(target=tools.build, args=(folders, ["kubeconform"]), kwargs={"say": say})
        for say in (said.append, said.append)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert (tmp_path / "builds").read_text("utf-8") == "built\n"
    assert tools.path_of(folders, "kubeconform").read_text("utf-8") == "binary\n"
    tools.require(folders, ["kubeconform"])


def test_a_failed_build_leaves_nothing_under_its_name(
    folders: cache.Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_GO_FAILS", "1")
    with pytest.raises(ClusterError, match="no such package"):
        tools.build(folders, ["kubeconform"], say=print)
    assert list(folders.binaries.iterdir()) == []


def test_no_go_names_the_fix(folders: cache.Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ClusterError, match=r"install Go 1\.26"):
        tools.build(folders, ["kubeconform"], say=print)
