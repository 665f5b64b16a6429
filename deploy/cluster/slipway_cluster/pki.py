"""A certificate authority in a folder, and client or server certificates signed by it.

Through the openssl command, because the standard library signs nothing. P-256 keys: made in
milliseconds where RSA would take most of the start.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import ClusterError

DAYS = "365"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """The cluster's certificate authority and its service-account signing key."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def key(self) -> Path:
        return self.folder / "ca.key"

    @property
    def service_account_key(self) -> Path:
        return self.folder / "sa.key"

    @property
    def service_account_public(self) -> Path:
        return self.folder / "sa.pub"

    def issue(
        self, name: str, *, user: str, groups: Sequence[str] = (), hosts: Sequence[str] = ()
    ) -> Certificate:
        """A certificate for client and server use; ``hosts`` are names or IPv4 addresses."""
        made = Certificate(certificate=self.folder / f"{name}.crt", key=self.folder / f"{name}.key")
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(extension_text(hosts or [name]), "utf-8")
        _key(made.key)
        _openssl("req", "-new", "-key", made.key, "-out", request, "-subj", subject(user, groups))
        _openssl(
            *("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key),
            *("-set_serial", f"0x{secrets.token_hex(15)}", "-days", DAYS),
            *("-extfile", extensions, "-out", made.certificate),
        )
        request.unlink()
        extensions.unlink()
        return made


def create(folder: Path) -> Authority:
    """A new authority in ``folder``, readable by its owner only."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    made = Authority(folder=folder)
    _key(made.key)
    _openssl(
        *("req", "-x509", "-new", "-key", made.key, "-out", made.certificate),
        *("-days", DAYS, "-subj", "/CN=kubernetes-ca"),
    )
    _key(made.service_account_key)
    _openssl("ec", "-in", made.service_account_key, "-pubout", "-out", made.service_account_public)
    return made


def subject(user: str, groups: Sequence[str]) -> str:
    """Kubernetes reads the user from CN and the groups from O."""
    return "".join(f"/O={_escaped(group)}" for group in groups) + f"/CN={_escaped(user)}"


def extension_text(hosts: Sequence[str]) -> str:
    """Subject alternative names and usages."""
    names = ",".join(f"{'IP' if _is_address(host) else 'DNS'}:{host}" for host in hosts)
    return f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n"


def _is_address(host: str) -> bool:
    return all(part.isdigit() for part in host.split("."))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("/", "\\/")


def _key(path: Path) -> None:
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
    path.chmod(0o600)


def _openssl(*arguments: str | Path) -> None:
    found = shutil.which("openssl")
    if found is None:
        raise ClusterError("openssl is not on PATH; install the Debian package openssl")
    done = subprocess.run(
        [found, *map(str, arguments)], text=True, capture_output=True, check=False
    )
    if done.returncode:
        raise ClusterError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
