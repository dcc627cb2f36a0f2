"""Who may talk to the scheduler: TLS wherever it is not on loopback."""

from __future__ import annotations

import ipaddress
import warnings
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from spectrum_workflows.errors import SiteError

if TYPE_CHECKING:
    from distributed import Security


class InsecureWarning(UserWarning):
    """A scheduler can be reached without a certificate."""


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine alone."""
    if host in ("localhost", "inproc"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def fresh_certificates() -> Security:
    """A certificate authority, certificate and key for one run, in memory.

    Raises
    ------
    SiteError
        The library that makes them is not installed.
    """
    from distributed import Security

    try:
        return Security.temporary()
    except ImportError:
        raise SiteError(
            "certificates cannot be made without the package cryptography",
            remedy="pip install cryptography",
        ) from None


def certificate_files(folder: Path) -> Security:
    """The same as files in a folder that the workers see, readable by the user alone.

    Raises
    ------
    SiteError
        The library that makes them is not installed.
    """
    from distributed import Security

    made = fresh_certificates().get_tls_config_for_role("worker")
    files = {kind: folder / f"{kind}.pem" for kind in ("ca_file", "cert", "key")}
    for kind, path in files.items():
        path.touch(mode=0o600)
        path.write_text(made[kind])
    roles = {
        f"tls_{role}_{kind}": str(files[kind])
        for role in ("client", "scheduler", "worker")
        for kind in ("cert", "key")
    }
    return Security(require_encryption=True, tls_ca_file=str(files["ca_file"]), **roles)


def warn_insecure(what: str) -> None:
    """Say that a connection is open to everybody who can reach it."""
    warnings.warn(
        f"{what} is reachable without TLS (insecure = true): whoever can connect to it "
        "can run code as you",
        InsecureWarning,
        stacklevel=2,
    )


def check_address(address: str, *, safe: tuple[str, ...], insecure: bool) -> None:
    """Refuse an address that is neither encrypted nor on loopback.

    Parameters
    ----------
    address : str
        ``scheme://host:port``.
    safe : tuple of str
        Schemes that are encrypted.
    insecure : bool
        The profile allows it.

    Raises
    ------
    SiteError
        It is open, and the profile does not allow that.
    """
    parts = urlsplit(address)
    if not parts.scheme or not parts.netloc:
        raise SiteError("not an address", address, f"write it as {safe[0]}://host:port")
    if parts.scheme in safe or is_loopback(parts.hostname or ""):
        return
    if not insecure:
        raise SiteError(
            f"{parts.scheme}:// is open to everybody who can reach it",
            address,
            f"use {safe[0]}://, or write insecure = true below [cluster] and know why",
        )
    warn_insecure(address)
