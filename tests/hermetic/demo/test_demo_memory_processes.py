"""Memory is found where it is: in daemons that left the tree and in children without the mark."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest
from gateway_process import eventually

from slipway_cli.demo.memory import MemorySampler

MEGABYTES = 40
HOLD = f"""
import time
held = bytearray(b'x' * {MEGABYTES << 20})
print('up', flush=True)
time.sleep(300)
"""
# Leaves the tree by a second fork, starts a child that lacks the mark, and tells both pids.
DAEMON = f"""
import os, subprocess, sys, time
if os.fork():
    os._exit(0)
os.setsid()
child = subprocess.Popen([sys.executable, "-c", {HOLD!r}], env={{}}, stdout=subprocess.PIPE)
child.stdout.readline()
print(os.getpid(), child.pid, flush=True)
time.sleep(300)
"""


@pytest.fixture
def daemon(tmp_path):
    """(mark, pid of the daemon, pid of its unmarked child)."""
    mark = str(tmp_path / "home")
    process = subprocess.Popen(
        [sys.executable, "-c", DAEMON],
        env=os.environ | {"SOME_HOME": mark},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process, process.stdout as out:
        pids = [int(pid) for pid in out.readline().split()]
    yield mark, *pids
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def test_daemons_and_their_children_are_counted(daemon):
    mark, parent, child = daemon
    sampler = MemorySampler(marks=(mark,))
    both = sampler.sample()
    assert both > MEGABYTES << 20
    os.kill(child, signal.SIGKILL)
    await eventually(lambda: sampler.sample() < both - (MEGABYTES // 2 << 20), what="less memory")
    os.kill(parent, signal.SIGKILL)
    await eventually(lambda: sampler.sample() == 0, what="nothing left")
    assert sampler.peak_bytes >= both
