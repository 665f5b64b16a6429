"""This machine's way to packages, lent to builds by mounts: mirrors, certificates, indexes.

A build in a chroot has the machine's network but not its configuration. What is mounted here is
read during the build only; no address gets into an image, and none is in this repository.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from .commands import run
from .errors import CommandFailed

SUITE = "bookworm"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
APT = re.compile(r"^Acquire::(https?::|Check-|Retries|ForceIPv)")
PIP = re.compile(r"^[^.]+\.(index-url|extra-index-url|trusted-host|proxy)='(.*)'$")


def volumes(folder: Path) -> list[str]:
    """``HOST:TARGET:ro`` for each file of configuration; writes them into ``folder``."""
    indexes = _pip_settings()
    pip = "".join(f"{name} = {value}\n" for name, value in indexes.items())
    files = {
        "/etc/apt/sources.list": "".join(f"{line}\n" for line in apt_sources()),
        "/etc/apt/apt.conf.d/90machine": _apt_settings(),
        "/etc/pip.conf": f"[global]\ndisable-pip-version-check = true\n{pip}",
        "/etc/uv/uv.toml": _uv_settings(indexes),
    }
    mounts = []
    for target, text in files.items():
        if text:
            file = folder / Path(target).name
            file.write_text(text)
            mounts.append(f"{file}:{target}:ro")
    certificates = Path(os.environ.get("SSL_CERT_FILE") or CERTIFICATES)
    if certificates.is_file():
        mounts.append(f"{certificates.resolve()}:{CERTIFICATES}:ro")
    return mounts


def apt_sources() -> list[str]:
    """The machine's own sources for Debian 12; none where it runs something else."""
    form = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    try:
        listed = run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
    except CommandFailed:
        return []
    lines = dict.fromkeys(line.strip() for line in listed.splitlines())
    return [line for line in lines if line.split()[2].split("-")[0] == SUITE]


def mirror(sources: list[str]) -> list[str]:
    """debootstrap's mirror argument; none: its own default."""
    return [line.split()[1] for line in sources if line.split()[2:] == [SUITE, "main"]][:1]


def _apt_settings() -> str:
    try:
        dumped = run(["apt-config", "dump"])
    except CommandFailed:
        return ""
    return "".join(f"{line}\n" for line in dumped.splitlines() if APT.match(line))


def _pip_settings() -> dict[str, str]:
    try:
        listed = run([sys.executable, "-m", "pip", "config", "list"])
    except CommandFailed:
        return {}
    found = (PIP.match(line) for line in listed.splitlines())
    return {match[1]: match[2] for match in found if match}


def _uv_settings(pip: dict[str, str]) -> str:
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL")
    index = index or pip.get("index-url")
    extra = os.environ.get("UV_EXTRA_INDEX_URL") or pip.get("extra-index-url")
    lines = ["system-certs = true"]
    if index:
        lines.append(f'index-url = "{index}"')
    if extra:
        lines.append(f"extra-index-url = {extra.split()}")
    return "".join(f"{line}\n" for line in lines)
