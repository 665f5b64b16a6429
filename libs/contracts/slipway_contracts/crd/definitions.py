"""The two CustomResourceDefinitions as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from slipway_contracts.base import GROUP, VERSION
from slipway_contracts.crd.described import class_text
from slipway_contracts.crd.structural import structural
from slipway_contracts.model import Model, ModelSpec, ModelStatus
from slipway_contracts.model_version import ModelVersion, ModelVersionSpec, ModelVersionStatus

NAME = {"type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}
# What a version leaves out comes from its Model; a default would come first.
OVERRIDES = ("serving", "evaluation", "rollout")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterColumn:
    """A column of ``kubectl get``; ``wide`` ones show with ``-o wide``."""

    name: str
    type: str
    path: str
    wide: bool = False

    def schema(self) -> dict[str, Any]:
        """The wire form."""
        body = {"name": self.name, "type": self.type, "jsonPath": self.path}
        return body | ({"priority": 1} if self.wide else {})


_READY = '.status.conditions[?(@.type=="Ready")].status'
_AGE = PrinterColumn(name="Age", type="date", path=".metadata.creationTimestamp")

VERSION_COLUMNS = (
    PrinterColumn(name="Model", type="string", path=".spec.model"),
    PrinterColumn(name="Phase", type="string", path=".status.phase"),
    PrinterColumn(name="Weight", type="integer", path=".status.rollout.weightObserved"),
    PrinterColumn(name="Eval", type="string", path=".status.evaluation.summary"),
    PrinterColumn(name="Ready", type="string", path=_READY),
    PrinterColumn(name="Step", type="integer", path=".status.rollout.step", wide=True),
    PrinterColumn(name="Progress", type="string", path=".status.progress", wide=True),
    PrinterColumn(name="Reason", type="string", path=".status.reason", wide=True),
    _AGE,
)
MODEL_COLUMNS = (
    PrinterColumn(name="Task", type="string", path=".spec.task"),
    PrinterColumn(name="Stable", type="string", path=".status.stable"),
    PrinterColumn(name="Candidate", type="string", path=".status.candidate"),
    PrinterColumn(name="Ready", type="string", path=_READY),
    PrinterColumn(name="Routes", type="integer", path=".status.routesRevision", wide=True),
    PrinterColumn(name="Applied", type="integer", path=".status.routesApplied", wide=True),
    PrinterColumn(name="Pinned", type="string", path=".spec.pinnedVersion", wide=True),
    _AGE,
)


def definitions() -> dict[str, dict[str, Any]]:
    """File name → CustomResourceDefinition."""
    model = _definition(
        Model,
        "mdl",
        MODEL_COLUMNS,
        spec=structural(ModelSpec, "spec", defaults=True),
        status=structural(ModelStatus, "status", defaults=False),
    )
    version = _definition(
        ModelVersion,
        "mv",
        VERSION_COLUMNS,
        spec=structural(ModelVersionSpec, "spec", defaults=True, no_defaults_under=OVERRIDES),
        status=structural(ModelVersionStatus, "status", defaults=False),
    )
    return {f"{body['metadata']['name']}.yaml": body for body in (model, version)}


def _definition(
    kind: type[BaseModel],
    short: str,
    columns: tuple[PrinterColumn, ...],
    *,
    spec: dict[str, Any],
    status: dict[str, Any],
) -> dict[str, Any]:
    name = kind.__name__
    plural = f"{name.lower()}s"
    schema = {
        "description": class_text(kind),
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"description": f"{GROUP}/{VERSION}.", "type": "string"},
            "kind": {"description": f"{name}.", "type": "string"},
            # All that a CRD may say about metadata. Kubernetes itself would allow dots and 253.
            "metadata": {"type": "object", "properties": {"name": NAME}},
            "spec": spec,
            "status": status,
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": name,
                "listKind": f"{name}List",
                "plural": plural,
                "singular": name.lower(),
                "shortNames": [short],
                "categories": ["slipway"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [column.schema() for column in columns],
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }
