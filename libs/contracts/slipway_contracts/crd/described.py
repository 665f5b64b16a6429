"""What ``kubectl explain`` says: the string under a field, else the docstring of its type.

Read from the source when the CRDs are generated, so that no process pays for it at import.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache

from pydantic import BaseModel


@cache
def field_texts(model: type[BaseModel]) -> dict[str, str]:
    """Python field name → the string literal under it, of the class and its bases."""
    texts: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if issubclass(owner, BaseModel) and owner is not BaseModel:
            texts |= _own_texts(owner)
    return texts


def class_text(owner: type) -> str:
    """The docstring as one plain paragraph a blank line; empty without an own one."""
    return plain(owner.__dict__.get("__doc__") or "")


def plain(text: str) -> str:
    """Without reStructuredText's backquotes and line breaks inside a paragraph."""
    paragraphs = inspect.cleandoc(text).replace("``", "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs).strip()


def _own_texts(owner: type[BaseModel]) -> dict[str, str]:
    body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
    assert isinstance(body, ast.ClassDef)
    texts = {}
    for statement, after in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            texts[statement.target.id] = plain(after.value.value)
    return texts
