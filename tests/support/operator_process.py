"""An operator process of the Kubernetes platform against a control plane without nodes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml
from free_ports import free_port
from log_lines import check_log

IMAGES = {"engine": "docker.io/slipway/engine:dev", "training": "docker.io/slipway/training:dev"}
PATIENCE_SECONDS = 120


class OperatorProcess:
    """Started by ``__enter__``, killed by ``__exit__`` if it still runs."""

    def __init__(
        self,
        folder: Path,
        *,
        kubeconfig: Path,
        namespace: str,
        dsn: str,
        identity: str = "operator-0",
        more: Mapping[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self.log = folder / f"{identity}.log"
        platform = folder / "platform.yaml"
        platform.write_text(yaml.safe_dump({"images": IMAGES}))
        self._env = {
            **os.environ,
            "SLIPWAY_OPERATOR_PLATFORM": "kubernetes",
            "SLIPWAY_OPERATOR_DSN": dsn,
            "SLIPWAY_OPERATOR_NAMESPACE": namespace,
            "SLIPWAY_OPERATOR_PLATFORM_FILE": str(platform),
            "SLIPWAY_OPERATOR_IDENTITY": identity,
            "SLIPWAY_OPERATOR_HEALTH_HOST": "127.0.0.1",
            "SLIPWAY_OPERATOR_HEALTH_PORT": str(self.port),
            "SLIPWAY_OPERATOR_KUBECONFIG": str(kubeconfig),
            **(more or {}),
        }

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "slipway_operator"],
                env=self._env,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            print(self.log.read_text())
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if error is None:
            check_log(self.log, service="operator")

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_SECONDS)

    def asked(self, path: str) -> tuple[int, str]:
        """Status and text of its health port; 0 where nobody answers."""
        try:
            url = f"http://127.0.0.1:{self.port}{path}"
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    @property
    def leads(self) -> bool:
        return "\nslipway_operator_leader 1.0" in self.asked("/metrics")[1]


def until(holds: Callable[[], bool], what: str, *, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
