"""OpenAI's Node client as a process: ``tests/node/openai_script.mjs``.

``make hermetic`` installs the package from its lock file; without Node or the package the tests
that need it are skipped, and ``tests/not_run.py`` says so.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "node"
DEADLINE = 120.0

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (FOLDER / "node_modules" / "openai").is_dir(),
    reason="no Node, or tests/node is not installed (make hermetic)",
)


async def node(verb: str, *args: str) -> Any:
    """What the script printed. Raises AssertionError with what went wrong in it."""
    process = await asyncio.create_subprocess_exec(
        *("node", str(FOLDER / "openai_script.mjs"), verb, *args),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(DEADLINE):
            out, wrong = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, wrong.decode()
    return json.loads(out)
