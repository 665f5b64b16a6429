"""Write the frozen surfaces anew: ``python tests/support/refreeze.py``, then read the diff."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

UNIT = Path(__file__).parents[1] / "unit"


def contracts() -> dict[str, list[str]]:
    """Contracts' frozen files."""
    from slipway_contracts.conditions import ConditionType, Phase, Reason
    from slipway_contracts.crd.definitions import definitions
    from slipway_contracts.metrics import CATALOGUE

    return {
        "crd_fields.txt": sorted(
            f"{body['spec']['names']['kind']} {line}"
            for body in definitions().values()
            for line in _fields(
                body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"],
                "spec",
            )
        ),
        "metrics.txt": [_metric(m) for m in CATALOGUE],
        "phases.txt": [phase.value for phase in Phase],
        "conditions.txt": [kind.value for kind in ConditionType],
        "reasons.txt": [reason.value for reason in Reason],
    }


def _metric(metric: Any) -> str:
    """Its owner, name, kind and unit, and each label with its bound."""
    labels = ",".join(f"{label.name}<={label.limit}" for label in metric.of)
    unit = f" [{metric.unit}]" if metric.unit else ""
    return f"{metric.owner} {metric.name} {metric.kind}{unit} {labels}".strip()


def _fields(schema: dict[str, Any], path: str) -> list[str]:
    lines = [] if path.endswith(("[]", "{}")) else [f"{path} {schema['type']}"]
    for name, child in schema.get("properties", {}).items():
        lines += _fields(child, f"{path}.{name}")
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            lines += _fields(schema[key], path + mark)
    return lines


def command() -> list[str]:
    """Every command of the CLI with its parameters."""
    from typer.main import get_command

    from slipway_cli.main import build_app

    return sorted(_commands(get_command(build_app()), "slipway"))


def _commands(node: object, path: str) -> list[str]:
    children = getattr(node, "commands", None)
    lines = [] if children else [path]
    for name, child in (children or {}).items():
        lines += _commands(child, f"{path} {name}")
    for parameter in node.params:  # type: ignore[attr-defined]
        if parameter.param_type_name == "option" and "--help" not in parameter.opts:
            lines.append(f"{path} {' '.join([*parameter.opts, *parameter.secondary_opts])}")
        elif parameter.param_type_name == "argument":
            lines.append(f"{path} {parameter.name.upper()}")
    return lines


def explained() -> list[str]:
    """What `rollout explain` says of every situation of ``told_lives``."""
    from told_lives import explained as sentences

    return sentences()


def write() -> int:
    """Write every file; exit code 0."""
    folder = UNIT / "contracts" / "frozen"
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in contracts().items():
        (folder / name).write_text("\n".join(lines) + "\n")
    cli = UNIT / "cli" / "frozen"
    cli.mkdir(parents=True, exist_ok=True)
    (cli / "commands.txt").write_text("\n".join(command()) + "\n")
    (cli / "explained.txt").write_text("\n".join(explained()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(write())
