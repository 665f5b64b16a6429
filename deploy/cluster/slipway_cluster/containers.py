"""containerd as the cluster uses it: its process, its images, and the end of its containers.

Images live in the cache and survive ``down``; containers do not.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from . import archive, commands, layout, rendering
from .cache import Folders
from .processes import Process

CNI_FILE = "10-slipway.conflist"


@dataclass(frozen=True, slots=True, kw_only=True)
class Containers:
    """containerd of the cluster in these folders."""

    folders: Folders

    @property
    def process(self) -> Process:
        return Process(home=self.folders.state, name="containerd")

    @property
    def socket(self) -> Path:
        return layout.containerd_socket(self.folders.state)

    def start(self) -> None:
        """Start it, and clear what a killed cluster left in its store."""
        state = self.folders.state
        cni = state / "cni"
        for folder in (self.folders.containerd, self.socket.parent, cni):
            folder.mkdir(parents=True, exist_ok=True)
        (cni / CNI_FILE).write_text(rendering.pod_network(state / "leases"), "utf-8")
        config = state / "containerd.toml"
        config.write_text(
            rendering.containerd(root=self.folders.containerd, state=state, cni=cni), "utf-8"
        )
        pid = self.process.start(["containerd", "--config", config])
        # Containers inherit the limit of open files; a shell's is too low for Ray.
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
        self.process.await_ready(lambda: bool(commands.tried(*self._ctr("version"))), seconds=60)
        self.clear()

    def clear(self) -> None:
        """Kill and delete every container."""
        for task in commands.tried(*self._ctr("tasks", "ls", "-q")).split():
            commands.tried(*self._ctr("tasks", "delete", "--force", task))
        for container in commands.tried(*self._ctr("containers", "ls", "-q")).split():
            commands.tried(*self._ctr("containers", "delete", container))

    def images(self) -> dict[str, str]:
        """Digest by name."""
        lines = commands.run(*self._ctr("images", "ls")).splitlines()[1:]
        return {fields[0]: fields[2] for line in lines if len(fields := line.split()) > 2}

    def load(self, paths: Iterable[Path], *, say: Callable[[str], None]) -> None:
        """Import image archives; one whose images are there already is skipped."""
        present = self.images()
        for path in paths:
            named = archive.names(path)
            if named and all(present.get(image.name) == image.digest for image in named):
                say(f"{path.name}: already imported")
                continue
            commands.run(*self._ctr("images", "import", str(path)))
            say(f"{path.name}: imported {', '.join(image.name for image in named)}".rstrip())

    def _ctr(self, *arguments: str) -> list[str]:
        return ["ctr", "--address", str(self.socket), "--namespace", "k8s.io", *arguments]
