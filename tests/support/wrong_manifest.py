"""How a wrong manifest is written: a right one with one thing wrong, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """``text`` is a whole manifest; ``says`` are parts of the refusal."""

    id: str
    text: str
    says: tuple[str, ...]


HEAD = """\
apiVersion: slipway.dev/v1alpha1
kind: {kind}
metadata: {{ name: {name} }}
spec: {spec}
"""
DATA = "data: { sources: ['bundled:jargon'] }"
SUITE = "{ name: heldout, kind: heldout }"


def model(id_: str, spec: str, *says: str, name: str = "chat") -> Wrong:
    """A Model whose spec is wrong."""
    text = HEAD.format(kind="Model", name=name, spec=spec)
    return Wrong(id=id_, text=text, says=says)


def version(id_: str, rest: str, *says: str, name: str = "v1") -> Wrong:
    """A ModelVersion that is right but for ``rest``."""
    return whole(id_, f"{{ model: chat, source: {{ random: {{}} }}, {rest} }}", *says, name=name)


def source(id_: str, given: str, *says: str) -> Wrong:
    """A ModelVersion whose source is wrong."""
    return whole(id_, f"{{ model: chat, source: {given} }}", *says)


def training(id_: str, rest: str, *says: str) -> Wrong:
    """A training with data that is wrong in ``rest``."""
    return source(id_, f"{{ training: {{ {DATA}, {rest} }} }}", *says)


def whole(id_: str, spec: str, *says: str, name: str = "v1") -> Wrong:
    """A ModelVersion with this spec."""
    text = HEAD.format(kind="ModelVersion", name=name, spec=spec)
    return Wrong(id=id_, text=text, says=says)


GOOD = HEAD.format(kind="ModelVersion", name="v1", spec="{ model: chat, source: { random: {} } }")
