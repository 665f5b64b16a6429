"""``slipway up`` in a home of its own, driven as a user would: by the command and by HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import yaml
from free_ports import free_port


class LocalPlatform:
    """One home. Always ``down`` it; ``leftovers`` are processes that still carry its path."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = os.environ | {"SLIPWAY_HOME": str(home)}

    def slipway(self, *arguments: str, check: bool = True, given: str | None = None) -> str:
        """Run one verb; its standard output."""
        argv = [sys.executable, "-m", "slipway_cli", *arguments]
        ended = subprocess.run(
            argv, env=self._env, input=given, capture_output=True, text=True, timeout=400
        )
        if check and ended.returncode:
            raise AssertionError(f"{arguments} exited {ended.returncode}: {ended.stderr}")
        return ended.stdout

    def up(self) -> None:
        self.slipway("up", "--detach", "--port", str(self.port))

    def down(self) -> None:
        self.slipway("down", check=False)

    def apply(self, *objects: dict) -> None:
        self.slipway("apply", "-f", "-", given=yaml.safe_dump_all(objects))

    def version(self, name: str) -> dict:
        return json.loads(self.slipway("get", "mv", name, "-o", "json"))

    def pid(self, process: str) -> int:
        return int(json.loads((self.home / "processes.json").read_text())[process]["pid"])

    def kill(self, process: str) -> int:
        """SIGKILL one supervised process; its pid."""
        pid = self.pid(process)
        os.kill(pid, signal.SIGKILL)
        return pid

    def ask(self, prompt: str, *, request_id: str, max_tokens: int = 8) -> str | None:
        """One completion; the version that answered, None when nothing did."""
        body = {"prompt": prompt, "model": "jargon", "max_tokens": max_tokens, "temperature": 0}
        request = urllib.request.Request(
            f"{self.url}/v1/completions",
            data=json.dumps(body).encode(),
            headers={"content-type": "application/json", "x-request-id": request_id},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                json.load(answer)
                return answer.headers["x-slipway-version"]
        except (urllib.error.URLError, OSError):
            return None

    def leftovers(self) -> list[str]:
        """Command lines of processes that have the home in their arguments or environment."""
        found = []
        for process in psutil.process_iter():
            try:
                words = [*process.cmdline(), *process.environ().values()]
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            if process.pid != os.getpid() and any(str(self.home) in word for word in words):
                found.append(" ".join(process.cmdline()))
        return found


def until(condition, *, seconds: float, what: str):
    """Wait for something true and return it."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.2)
