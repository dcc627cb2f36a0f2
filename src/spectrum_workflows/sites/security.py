"""TLS between client, scheduler and workers, with certificates of the run."""

from __future__ import annotations

import ipaddress
import os
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
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


VALID = timedelta(days=365)
SLOW_CLOCK = timedelta(days=1)
"""By how much another machine's clock may be behind."""


@dataclass(frozen=True)
class Certificate:
    """A certificate that vouches for itself, and its key, as PEM texts."""

    certificate: str
    key: str = field(repr=False)


def new_certificate() -> Certificate:
    """Make one for one run.

    Raises
    ------
    SiteError
        The library that makes them is not installed.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise SiteError(
            "certificates cannot be made without the package cryptography",
            remedy="pip install cryptography",
        ) from None
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "spectrum-run")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLOW_CLOCK)
        .not_valid_after(now + VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private = key.private_bytes(encoding, form, plain)
    return Certificate(made.public_bytes(encoding).decode(), private.decode())


def certificate_files(folder: Path) -> Security:
    """A new certificate as files that the user alone can read.

    Parameters
    ----------
    folder : Path
        A private one; where workers run elsewhere, one that they see.

    Raises
    ------
    SiteError
        The library that makes them is not installed.
    """
    from distributed import Security

    made = new_certificate()
    texts = {"ca_file": made.certificate, "cert": made.certificate, "key": made.key}
    files = {kind: folder / f"{kind}.pem" for kind in texts}
    for kind, path in files.items():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(texts[kind])
    roles = {
        f"tls_{role}_{kind}": str(files[kind])
        for role in ("client", "scheduler", "worker")
        for kind in ("cert", "key")
    }
    return Security(require_encryption=True, tls_ca_file=str(files["ca_file"]), **roles)


def warn_insecure(subject: str) -> None:
    """Say that a connection is open to everybody who can reach it."""
    warnings.warn(
        f"{subject} is reachable without TLS (insecure = true): whoever can connect to it "
        "can run code as you",
        InsecureWarning,
        stacklevel=2,
    )


def check_address(address: str, *, safe: tuple[str, ...], insecure: bool) -> None:
    """Refuse an address that is not encrypted; on loopback there are other users, too.

    Parameters
    ----------
    address : str
        ``scheme://host:port``.
    safe : tuple of str
        Schemes that are encrypted, or do not leave this process.
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
    if parts.scheme in safe:
        return
    if not insecure:
        others = (
            "every user of this machine"
            if is_loopback(parts.hostname or "")
            else "everybody who can reach it"
        )
        raise SiteError(
            f"{parts.scheme}:// is open to {others}",
            address,
            f"use {safe[0]}://, or write insecure = true below [cluster] and know why",
        )
    warn_insecure(address)
