"""``slipway up --observe``: a real Prometheus beside local mode, and a node exporter if installed.

It loads the very rule files that the chart gives to a cluster's Prometheus (``rules`` beside this
file is a link to them; a wheel holds copies), and follows the target files that the supervisor
writes as processes come and go. Knows nothing of what is measured.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import yaml

from slipway_cli.errors import CliError, InvalidInput
from slipway_cli.local.endpoints import LOOPBACK, Endpoints
from slipway_cli.local.layout import Layout
from slipway_cli.local.process import ProcessPlan

PROMETHEUS = "prometheus"
NODE_EXPORTER = "node-exporter"
GIVEN = "SLIPWAY_PROMETHEUS"
RULES = Path(__file__).parent / "rules"
# As Debian calls it, and as its makers do.
NODE_EXPORTERS = ("prometheus-node-exporter", "node_exporter")
# An alert has two minutes from the first bad answer: three scrapes fit into the shortest window
# that a rule looks back.
INTERVAL = "5s"
RETENTION = "15d"

# One Ray holds all engines here, so no target is of one version: vLLM names the Model (but not the
# version), Serve the application, which is called after the version.
ENGINE_LABELS = [
    {
        "source_labels": ["__name__", "model_name"],
        "regex": "ray_vllm_.+;(.+)",
        "target_label": "model",
    },
    {
        "source_labels": ["__name__", "application"],
        "regex": "ray_serve_.+;(.+)-[0-9a-f]{8}",
        "target_label": "version",
    },
]


class PrometheusMissing(InvalidInput):
    """``--observe`` without a Prometheus on this machine."""


class RulesMissing(CliError):
    """A checkout or an installation without the rule files."""


def find_prometheus() -> str:
    """As told, else PATH's, else that of ``make tools``. Raises PrometheusMissing."""
    given = os.environ.get(GIVEN)
    if given:
        if not os.access(given, os.X_OK):
            raise PrometheusMissing(f"{GIVEN}={given} is no program that can be run")
        return given
    found = shutil.which(PROMETHEUS) or _in_cache()
    if found is None:
        raise PrometheusMissing(
            "--observe needs Prometheus, which is not on PATH: `apt-get install prometheus` "
            "(Debian's package is enough), `make tools TOOLS=prometheus` (nothing is installed), "
            f"or set {GIVEN} to its path"
        )
    return found


def _in_cache() -> str | None:
    """Where ``make tools`` puts it (deploy/cluster): by version, or Debian's of any version."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    binaries = Path(os.environ.get("SLIPWAY_CACHE") or base / "slipway") / "bin"
    found = [*binaries.glob("prometheus-any"), *binaries.glob("prometheus-v*")]
    return str(found[0]) if found else None


def find_node_exporter() -> str | None:
    """The program's path, where it is installed."""
    return next(filter(None, map(shutil.which, NODE_EXPORTERS)), None)


def observer_plans(layout: Layout, endpoints: Endpoints) -> list[ProcessPlan]:
    """What watches the platform; nothing where no port was chosen for it."""
    if not endpoints.prometheus:
        return []
    plans = [_prometheus(layout, endpoints)]
    exporter = find_node_exporter() if endpoints.node_exporter else None
    if exporter is not None:
        address = f"--web.listen-address={LOOPBACK}:{endpoints.node_exporter}"
        log = layout.logs / f"{NODE_EXPORTER}.log"
        plans.append(ProcessPlan(name=NODE_EXPORTER, argv=[exporter, address], env={}, log=log))
    return plans


def write_config(layout: Layout, endpoints: Endpoints) -> None:
    """What the plan's Prometheus reads when it starts. Does nothing where there is none.

    Raises RulesMissing: without rules no alert would ever fire, and nobody would notice.
    """
    if not endpoints.prometheus:
        return
    if not any(RULES.glob("*.yaml")):
        raise RulesMissing(f"no rules in {RULES}; `python scripts/generate.py` writes them")
    (layout.observe / "targets").mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(config(layout, endpoints), sort_keys=False)
    temporary = _config_file(layout).with_suffix(".tmp")
    temporary.write_text(text, "utf-8")
    temporary.replace(_config_file(layout))


def config(layout: Layout, endpoints: Endpoints) -> dict[str, Any]:
    """The configuration: each target file names its own job, as the chart's monitors do."""
    fixed = {PROMETHEUS: endpoints.prometheus}
    if endpoints.node_exporter:
        fixed[NODE_EXPORTER] = endpoints.node_exporter
    targets = layout.observe / "targets" / "*.json"
    return {
        "global": {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": [str(RULES / "*.yaml")],
        "scrape_configs": [
            {
                "job_name": "slipway",
                "file_sd_configs": [{"files": [str(targets)], "refresh_interval": "5s"}],
                "metric_relabel_configs": ENGINE_LABELS,
            },
            *(
                {"job_name": job, "static_configs": [{"targets": [f"{LOOPBACK}:{port}"]}]}
                for job, port in fixed.items()
            ),
        ],
    }


def _config_file(layout: Layout) -> Path:
    return layout.observe / "prometheus.yaml"


def _prometheus(layout: Layout, endpoints: Endpoints) -> ProcessPlan:
    argv = [
        find_prometheus(),
        f"--config.file={_config_file(layout)}",
        f"--storage.tsdb.path={layout.observe / 'data'}",
        f"--storage.tsdb.retention.time={RETENTION}",
        f"--web.listen-address={LOOPBACK}:{endpoints.prometheus}",
        "--log.level=warn",
    ]
    return ProcessPlan(name=PROMETHEUS, argv=argv, env={}, log=layout.logs / "prometheus.log")
