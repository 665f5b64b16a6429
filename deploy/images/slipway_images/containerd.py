"""Handing built images to the test cluster's containerd.

It is sent only the layers that its content store lacks, and nothing when it has the image already.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from .commands import run
from .errors import CommandFailed, ImagesError
from .store import Manifest, Store

NAMESPACE = "k8s.io"


class Containerd:
    """The daemon behind ``socket``."""

    def __init__(self, socket: Path) -> None:
        if not socket.exists():
            raise ImagesError(f"no containerd at {socket}; run `make cluster` or give --socket")
        self._ctr = ["ctr", "--address", str(socket), "--namespace", NAMESPACE]

    def images(self) -> dict[str, str]:
        """Digest by reference."""
        rows = [line.split() for line in run([*self._ctr, "images", "list"]).splitlines()[1:]]
        return {row[0]: row[2] for row in rows if len(row) > 2}

    def load(self, store: Store, manifest: Manifest) -> int:
        """Bytes that had to be sent. Raises CommandFailed."""
        held = set(run([*self._ctr, "content", "list", "--quiet"]).split())
        command = [*self._ctr, "images", "import", "-"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as importer:
            assert importer.stdin is not None and importer.stderr is not None
            try:
                sent = store.write_archive(manifest, importer.stdin, without=held)
                importer.stdin.close()
            except BrokenPipeError:
                sent = 0
            said = importer.stderr.read().decode(errors="replace")
        if importer.returncode:
            raise CommandFailed(f"ctr images import of {manifest.reference} failed:\n{said}")
        return sent
