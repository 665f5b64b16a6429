"""Which replicas have answered, remembered on disk.

So that a restart of the controller does not take weight from what serves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path


class Warmed:
    """Backend name → ids of the replicas that have answered; kept in one small file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._replicas: dict[str, frozenset[str]] = _load(path)

    def of(self, name: str) -> frozenset[str]:
        """Replicas of the backend that have answered."""
        return self._replicas.get(name, frozenset())

    def add(self, name: str, replicas: Iterable[str]) -> None:
        """Remember, on disk, that these answered."""
        self._replicas[name] = self.of(name) | frozenset(replicas)
        self._save()

    def keep(self, names: Iterable[str]) -> None:
        """Forget all other backends."""
        kept = {name: self._replicas[name] for name in names if name in self._replicas}
        if kept != self._replicas:
            self._replicas = kept
            self._save()

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps({name: sorted(ids) for name, ids in self._replicas.items()}))
        draft.replace(self._path)


def _load(path: Path) -> dict[str, frozenset[str]]:
    try:
        content = json.loads(path.read_text())
        return {str(name): frozenset(map(str, ids)) for name, ids in content.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        # Lost or damaged: every backend is warmed up again, which costs a second.
        return {}
