"""Write every generated file of the repository; with ``--check``, fail where one differs.

``make verify`` runs the check. One entry a generator: folder → file name → content. A folder of
``FOLDERS`` holds nothing else; in one of ``BESIDE`` other files live, too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import chart_generated

import slipway_rules.document
import slipway_rules.files
from slipway_contracts.crd.__main__ import rendered
from slipway_dashboards import document, metric_page
from slipway_dashboards import render as dashboards
from slipway_telemetry.schema import documents as log_documents

ROOT = Path(__file__).parents[1]
Generator = Callable[[], dict[str, str]]
FOLDERS: dict[str, Generator] = {
    "deploy/crds": rendered,
    "charts/slipway/crds": chart_generated.crds,
    "charts/slipway/files/dashboards": dashboards.rendered,
    "charts/slipway/files/rules": slipway_rules.files.rendered,
}
BESIDE: dict[str, Generator] = {
    "charts/slipway": chart_generated.documents,
    "docs": lambda: (
        log_documents()
        | document.documents()
        | slipway_rules.document.documents()
        | metric_page.documents()
    ),
}


def stale(folder: Path, wanted: dict[str, str], *, alone: bool = True) -> list[Path]:
    """Files that differ, are missing, or (``alone``) that no generator writes any more."""
    names = {path.name for path in folder.glob("*") if path.is_file()} if alone else set()
    return [name for name in map(folder.joinpath, names | wanted.keys()) if _differs(name, wanted)]


def _differs(path: Path, wanted: dict[str, str]) -> bool:
    return not path.is_file() or path.read_text("utf-8") != wanted.get(path.name)


def write(paths: list[Path], wanted: dict[str, str]) -> None:
    """Make each of ``paths`` what is wanted, or away."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
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
    for folder, generate in (FOLDERS | BESIDE).items():
        wanted = generate()
        found = stale(ROOT / folder, wanted, alone=folder in FOLDERS)
        differing += found
        if not check:
            write(found, wanted)
    for path in sorted(differing):
        print(f"{'stale' if check else 'written'}: {path.relative_to(ROOT)}")
    if check and differing:
        print("run: python scripts/generate.py", file=sys.stderr)
    return int(check and bool(differing))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
