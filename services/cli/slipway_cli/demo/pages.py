"""The reports of the demo's two rollouts, beside its ledger: ``slipway report`` of v2 and v3.

Made from the same places as the verb's: judgements and traffic of PostgreSQL, progress of the run
folders; the objects are those that the demo saw last. A page that cannot be written ends nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from slipway_cli.demo.cast import BETTER, WORSE
from slipway_cli.demo.findings import Evidence
from slipway_cli.errors import CliError, NotFound
from slipway_cli.postgres import PostgresEvents, PostgresEvidence
from slipway_cli.report.material import gather
from slipway_cli.report.page import page
from slipway_cli.resources import Kind, Resource
from slipway_cli.run_folders import RunFolders
from slipway_contracts.model import Model
from slipway_store.connect import Pool

REPORTED = (BETTER, WORSE)


@dataclass(frozen=True, slots=True)
class Seen:
    """``ModelReader`` over the Model that the demo saw last."""

    model: Model | None

    async def get(self, kind: Kind, name: str) -> Resource:
        if kind is not Kind.MODEL or self.model is None:
            raise NotFound(f"{kind} {name} was not seen")
        return self.model


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSources:
    """``report.material.Sources`` over what the demo has open."""

    objects: Seen
    evidence: PostgresEvidence
    progress: RunFolders
    events: PostgresEvents
    has_database: bool = True


async def write_pages(pool: Pool, evidence: Evidence, *, home: Path) -> list[Path]:
    """The files that were written. Raises nothing but what ends the demo anyway."""
    sources = DemoSources(
        objects=Seen(evidence.model),
        evidence=PostgresEvidence(pool),
        progress=RunFolders(home / "runs"),
        events=PostgresEvents(pool),
    )
    written = []
    for name in REPORTED:
        version = evidence.versions.get(name)
        if version is None:
            continue
        try:
            material = await gather(sources, version, now=datetime.now(UTC))
            file = home / "demo" / f"{name}.html"
            _write(file, page(material))
        except (CliError, OSError):
            continue
        written.append(file)
    return written


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
