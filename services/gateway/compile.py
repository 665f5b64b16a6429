"""Compiles the hot path of an installed gateway to native code, in place, with mypyc.

``python compile.py FOLDER``, where ``pip install --target FOLDER`` has put the gateway and what it
imports of ours. The image does it when it is built, and make does it for tests and benchmarks. A
checkout stays interpreted: an extension beside a source would hide every edit. Needs mypy and a C
compiler; what it leaves needs neither.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from mypyc.build import mypycify
from setuptools import setup

# What runs for each request. Modules with pydantic classes stay out: mypyc cannot have them.
HOT = (
    "slipway_gateway/ask.py",
    "slipway_gateway/cache.py",
    "slipway_gateway/guard.py",
    "slipway_gateway/metrics/traffic.py",
    "slipway_gateway/outcome.py",
    "slipway_gateway/render.py",
    "slipway_gateway/routing.py",
    *(
        f"slipway_gateway/attempts/{m}.py"
        for m in ("clock", "frames", "kept", "lines", "log", "reading", "segment")
    ),
    "slipway_gateway/attempts/texts.py",
    "slipway_gateway/control/route.py",
    "slipway_gateway/control/table.py",
    "slipway_gateway/dialects/*.py",
    "slipway_gateway/hotpath/*.py",
    "slipway_gateway/overload/*.py",
    *(f"slipway_gateway/tenants/{m}.py" for m in ("caller", "endpoints", "keys", "limits")),
    *(f"slipway_gateway/tenants/{m}.py" for m in ("meters", "scope", "slots", "world")),
    "slipway_contracts/attempt.py",
    "slipway_contracts/split.py",
    "slipway_store/tuples.py",
    "slipway_telemetry/buckets.py",
)
INTERPRETED = (
    "slipway_gateway/dialects/responses_request.py",
    "slipway_gateway/dialects/service.py",
    "slipway_gateway/overload/figures.py",
)
CHECKS = ("--ignore-missing-imports", "--follow-imports=silent")


def modules(patterns: tuple[str, ...]) -> list[str]:
    """The files below this folder that match, without packages' own and what stays interpreted."""
    found: set[str] = set()
    for pattern in patterns:
        matched = {str(path) for path in Path().glob(pattern)}
        if not matched:
            raise SystemExit(f"compile.py: nothing matches {pattern}; name what runs instead")
        found |= matched
    return sorted(f for f in found if not f.endswith("__init__.py") and f not in INTERPRETED)


def compile_group(files: list[str]) -> None:
    """One native module for all of them, so that calls between them stay native."""
    python = f"--python-executable={sys.executable}"
    # Calls between modules need no look-up, and small functions become part of their callers.
    os.environ["CFLAGS"] = f"{os.environ.get('CFLAGS', '')} -fvisibility=hidden"
    extensions = mypycify([python, *CHECKS, *files], opt_level="3", debug_level="0")
    setup(name="slipway", ext_modules=extensions, script_args=["-q", "build_ext", "--inplace"])


def main() -> None:
    """Compile what lies in the folder that was named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the gateway was installed to")
    os.chdir(parser.parse_args().folder)
    files = modules(HOT)
    compile_group(files)
    for rest in ("build", ".mypy_cache"):
        shutil.rmtree(rest, ignore_errors=True)
    print(f"compiled {len(files)} modules")


if __name__ == "__main__":
    main()
