"""vLLM's readers nap where they would spin, and still listen when idle."""

from __future__ import annotations

import sys
import time
import types
from typing import Any

import pytest

from slipway_engine import patience


@pytest.fixture
def spin(monkeypatch: pytest.MonkeyPatch) -> type:
    """A stand-in for the one class of vLLM that the plugin changes; importing vLLM takes 10 s."""

    class SpinCondition:
        def __init__(self) -> None:
            self.last_read, self.busy_loop_s = time.monotonic(), 60.0
            self.listened: list[Any] = []

        def wait(self, timeout_ms: int | None = None) -> None:
            self.listened.append(timeout_ms)

    names = ("vllm", "vllm.distributed", "vllm.distributed.device_communicators")
    for name in names:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    module = types.ModuleType(f"{names[-1]}.shm_broadcast")
    module.SpinCondition = SpinCondition
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(sys.modules[names[-1]], "shm_broadcast", module, raising=False)
    return SpinCondition


def test_a_busy_reader_naps_and_an_idle_one_listens(
    spin: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", naps.append)
    patience.install()
    patience.install()
    reader = spin()
    reader.wait(5000)
    assert (naps, reader.listened) == ([patience.NAP_SECONDS], [])
    reader.busy_loop_s = -1.0
    reader.wait(5000)
    assert (len(naps), reader.listened) == (1, [5000])
