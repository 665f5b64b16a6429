"""The real kubectl as a person of one namespace; its discovery cache lives beside the plane."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubectl:
    """``kubectl("get", "mv")`` → the finished process; ``said`` → its output, must succeed."""

    kubeconfig: Path
    namespace: str

    def __call__(
        self, *arguments: str, body: dict[str, Any] | str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """``body`` is what ``-f -`` reads."""
        binary = shutil.which("kubectl")
        assert binary, "kubectl is not on PATH; install it (docs/cluster.md)"
        text = json.dumps(body) if isinstance(body, dict) else body
        return subprocess.run(
            [binary, *arguments],
            input=text,
            text=True,
            capture_output=True,
            check=False,
            timeout=PATIENCE_SECONDS,
            env=os.environ
            | {
                "KUBECONFIG": str(self.kubeconfig),
                "KUBECACHEDIR": str(self.kubeconfig.parent / "kubectl-cache"),
            },
        )

    def said(self, *arguments: str, body: dict[str, Any] | str | None = None) -> str:
        """Standard output of a command in the namespace; an assertion where it fails."""
        done = self("--namespace", self.namespace, *arguments, body=body)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments: str, body: dict[str, Any] | str | None = None) -> str:
        """Standard error of a command that must fail."""
        done = self("--namespace", self.namespace, *arguments, body=body)
        assert done.returncode != 0, f"accepted: {done.stdout}"
        return done.stderr
