"""Write every generated file of the repository; with ``--check``, fail where one differs.

``make verify`` runs the check. One entry a generator: folder → file name → content.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from slipway_contracts.crd.__main__ import rendered

ROOT = Path(__file__).parents[1]
GENERATORS: dict[str, Callable[[], dict[str, str]]] = {"deploy/crds": rendered}


def stale(folder: Path, wanted: dict[str, str]) -> list[Path]:
    """Files that differ, are missing, or that no generator writes any more."""
    found = {path.name: path.read_text("utf-8") for path in folder.glob("*") if path.is_file()}
    return [folder / name for name in found.keys() | wanted if found.get(name) != wanted.get(name)]


def write(folder: Path, wanted: dict[str, str]) -> None:
    """Make the folder hold exactly ``wanted``."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in stale(folder, wanted):
        if path.name in wanted:
            path.write_text(wanted[path.name], "utf-8")
        else:
            path.unlink()


def main(arguments: list[str]) -> int:
    """0 when all is as generated (or was written); 1 when ``--check`` found a difference."""
    check = arguments == ["--check"]
    if arguments and not check:
        print("usage: generate.py [--check]", file=sys.stderr)
        return 2
    differing: list[Path] = []
    for folder, generate in GENERATORS.items():
        wanted = generate()
        differing += stale(ROOT / folder, wanted)
        if not check:
            write(ROOT / folder, wanted)
    for path in sorted(differing):
        print(f"{'stale' if check else 'written'}: {path.relative_to(ROOT)}")
    if check and differing:
        print("run: python scripts/generate.py", file=sys.stderr)
    return int(check and bool(differing))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
