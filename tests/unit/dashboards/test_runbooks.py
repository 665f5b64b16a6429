"""Each alert has its runbook and each runbook its alert, and what the pages say to type exists.

``slipway`` commands are parsed by the real command line (nothing is run); PromQL by the reader of
dashboards and rules, which knows every metric.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from slipway_cli.main import build_app
from slipway_dashboards.reading import read
from slipway_dashboards.vocabulary import vocabulary
from slipway_rules.files import alerts

FOLDER = Path(__file__).parents[3] / "docs/runbooks"
PAGES = sorted(FOLDER.glob("*.md"))
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Escalation"]
KNOWN = vocabulary()
COMMANDS = typer.main.get_command(build_app())
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(slipway [^`]+)`")


def blocks(text: str, language: str) -> list[str]:
    found = [body for kind, body in BLOCK.findall(text) if kind == language]
    return [line for body in found for line in body.splitlines() if line]


def commands(text: str) -> list[str]:
    """Every ``slipway …`` of a page or of an alert's description, its placeholders filled in."""
    said = [line for line in blocks(text, "sh") if line.startswith("slipway ")]
    prose = BLOCK.sub("", text)
    return said + [re.sub(r"\{\{.*?\}\}", "NAME", found) for found in INLINE.findall(prose)]


def parse(line: str) -> None:
    """By the real command line. Raises click's UsageError."""
    words = shlex.split(line)[1:]
    command = COMMANDS
    while hasattr(command, "commands"):
        assert words and words[0] in command.commands, f"{line!r}: no such command"
        command = command.commands[words.pop(0)]
    if words:
        command.make_context(command.name, words)


def test_each_alert_has_its_page_and_each_page_its_alert() -> None:
    assert {page.name for page in PAGES} == {alert.page for alert in alerts()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_all_sections(page: Path) -> None:
    text = page.read_text("utf-8")
    [alert] = [alert for alert in alerts() if alert.page == page.name]
    assert text.startswith(f"# {alert.name}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert all(len(part.strip()) > 5 for part in re.split(r"^## .+$", text, flags=re.MULTILINE))
    assert blocks(text, "sh")
    assert any(line.startswith("kubectl ") for line in blocks(text, "sh"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_parse(page: Path) -> None:
    [alert] = [alert for alert in alerts() if alert.page == page.name]
    for line in [*commands(page.read_text("utf-8")), *commands(alert.description)]:
        parse(line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_queries_name_what_is_emitted(page: Path) -> None:
    queries = blocks(page.read_text("utf-8"), "promql")
    assert queries
    assert [read(query, KNOWN).mistakes for query in queries] == [[] for _ in queries]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).is_file(), target


def test_a_wrong_command_is_seen() -> None:
    with pytest.raises(AssertionError, match="no such command"):
        parse("slipway explode VERSION")
    with pytest.raises(Exception, match="No such option"):
        parse("slipway abort VERSION --gently")
