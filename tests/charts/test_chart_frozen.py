"""The render is a surface: a change of it shows as a change of a file in review.

Random values are replaced by their form, and what `helm test` runs is left to its own file. After a
change that is meant: `REFREEZE=1 .venv/bin/pytest tests/charts/test_chart_frozen.py`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from helm_chart import template

FROZEN = Path(__file__).with_name("frozen")
FORMS = [
    (re.compile(r"slw_[0-9a-f]{12}_[A-Za-z0-9]{43}"), "slw_<12 hex digits>_<43 characters>"),
    (re.compile(r"\b[A-Za-z0-9]{40}\b"), "<40 characters>"),
    (re.compile(r'^ {10}""".*?^ {6}env:', re.DOTALL | re.MULTILINE), "          …\n      env:"),
]


@pytest.mark.parametrize("name", ["default", "values-gpu", "values-test"])
def test_the_render_is_as_frozen(name):
    text = template(files=() if name == "default" else (f"{name}.yaml",))
    for pattern, form in FORMS:
        text = pattern.sub(form, text)
    path = FROZEN / f"{name}.yaml"
    if os.environ.get("REFREEZE"):
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8"), "if that is meant: see the head of this file"
