"""A real Ray head as a child process, on free ports, for tests that run real engines."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from free_ports import free_port


class RayHead:
    """``with RayHead(log) as head``: ``head.dashboard_url``; at the end nothing of it is left."""

    def __init__(self, log: Path) -> None:
        self.dashboard_port, self.serve_port = free_port(), free_port()
        self.dashboard_url = f"http://127.0.0.1:{self.dashboard_port}"
        self.serve_url = f"http://127.0.0.1:{self.serve_port}"
        self._temp = Path(tempfile.mkdtemp(prefix="slr-", dir="/tmp"))
        self._log = log

    def __enter__(self) -> RayHead:
        command = [
            *(sys.executable, "-m", "slipway_engine.head"),
            f"--temp-dir={self._temp}",
            f"--dashboard-port={self.dashboard_port}",
            f"--gcs-port={free_port()}",
        ]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=dict(os.environ), start_new_session=True
            )
        self._wait_for_dashboard()
        return self

    def __exit__(self, *_: object) -> None:
        left = self.stop()
        for process in left:
            process.kill()
        shutil.rmtree(self._temp, ignore_errors=True)

    def family(self) -> list[psutil.Process]:
        """The head and everything below it."""
        try:
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def stop(self) -> list[psutil.Process]:
        """SIGTERM to the one process; what is still alive 20 s later."""
        family = self.family()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        _, alive = psutil.wait_procs(family, timeout=20)
        return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]

    def _wait_for_dashboard(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.dashboard_port)) == 0:
                    return
            time.sleep(0.2)
        self.__exit__()
        raise RuntimeError(f"Ray did not come up: {self._log.read_text()[-3000:]}")
