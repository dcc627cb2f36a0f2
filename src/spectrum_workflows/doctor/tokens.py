"""Tokens and proxies: how long they live, against how long work may take.

Only a file's or a variable's name and an expiry are ever said of them.
"""

from __future__ import annotations

import base64
import binascii
import configparser
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spectrum_workflows.findings import Finding, doubt, fault, fine

HOUR = 3600.0
COMMON = "/tmp"  # noqa: S108
"""Where the conventions of WLCG and of Globus have tokens and proxies looked for."""


@dataclass(frozen=True)
class Credential:
    """A credential that the site's stores may be opened with.

    Attributes
    ----------
    kind : str
        What it is.
    source : str
        The file or variable that holds it.
    expires : float
        Seconds since 1970; infinite where it does not say.
    error : str
        Why it cannot be read; empty if it can.
    """

    kind: str
    source: str
    expires: float = math.inf
    error: str = ""


def judged(credential: Credential, walltime: float, *, now: float | None = None) -> Finding:
    """Compare the end of a credential with the longest that a job may take.

    Parameters
    ----------
    credential : Credential
    walltime : float
        Seconds; where it is infinite an hour is expected.
    now : float, optional
        Seconds since 1970; else the clock's.
    """
    moment = time.time() if now is None else now
    needed = walltime if math.isfinite(walltime) else HOUR
    expected = f"valid for {_duration(needed)}"
    subject, source = credential.kind, credential.source
    if credential.error:
        return fault(subject, f"{source}: {credential.error}", expected, "correct its name")
    if math.isinf(credential.expires):
        return fine(subject, f"{source}: does not say when it ends", expected)
    left = credential.expires - moment
    if left <= 0:
        line = f"{source}: expired {_duration(-left)} ago"
        return fault(subject, line, expected, "renew it")
    line = f"{source}: ends in {_duration(left)}"
    if left < needed:
        return doubt(subject, line, expected, "renew it before; the file is read again then")
    return fine(subject, line, expected)


def at_hand(
    urls: tuple[str, ...],
    options: Mapping[str, Mapping[str, Any]],
    environment: Mapping[str, str],
) -> list[Credential]:
    """Credentials that the libraries would take for some URLs.

    Parameters
    ----------
    urls : tuple of str
        Roots of the site.
    options : mapping
        URL prefix to storage options of the profile.
    environment : mapping
        Of this process.
    """
    schemes = {url.partition("://")[0].lower() for url in (*urls, *options) if "://" in url}
    credentials = [*_named(options)]
    if schemes & {"root", "davs"}:
        credentials += [*_of_grid(environment)]
    if schemes & {"s3", "s3a"} and not all(one.get("anon") for one in _s3(options)):
        credentials += [*_of_s3(environment, options)]
    return credentials


def _s3(options: Mapping[str, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Options of S3 stores; one without, where there are none."""
    return [o for prefix, o in options.items() if prefix.startswith("s3")] or [{}]


def _named(options: Mapping[str, Mapping[str, Any]]) -> Iterator[Credential]:
    """Token files that the profile names."""
    for one in options.values():
        if file := one.get("token_file"):
            yield _token_in(Path(str(file)).expanduser())


def _of_grid(environment: Mapping[str, str]) -> Iterator[Credential]:
    """The bearer token where WLCG has it looked for, and the proxy where Globus does."""
    number = os.getuid() if hasattr(os, "getuid") else 0
    if token := environment.get("BEARER_TOKEN"):
        yield Credential("token", "BEARER_TOKEN", token_end(token))
    elif file := environment.get("BEARER_TOKEN_FILE"):
        yield _token_in(Path(file))
    else:
        folders = (environment.get("XDG_RUNTIME_DIR"), COMMON)
        files = [Path(folder, f"bt_u{number}") for folder in folders if folder]
        yield from [_token_in(file) for file in files if file.is_file()][:1]
    named = environment.get("X509_USER_PROXY")
    proxy = Path(named) if named else Path(COMMON, f"x509up_u{number}")
    if named or proxy.is_file():
        yield _proxy_in(proxy)


def _of_s3(
    environment: Mapping[str, str], options: Mapping[str, Mapping[str, Any]]
) -> Iterator[Credential]:
    """What botocore would take and can tell the end of."""
    if named := environment.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        yield _token_in(Path(named))
    if moment := environment.get("AWS_CREDENTIAL_EXPIRATION"):
        yield Credential("S3 credentials", "AWS_CREDENTIAL_EXPIRATION", _moment(moment))
    usual = environment.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
    for one in _s3(options):
        file = Path(str(one.get("credential_file") or usual)).expanduser()
        profile = str(one.get("profile") or environment.get("AWS_PROFILE") or "default")
        if one.get("credential_file") or file.is_file():
            yield _keys_in(file, profile)


def token_end(token: str) -> float:
    """When a JSON web token ends, seconds since 1970; infinite where it does not say."""
    parts = token.split(".")
    try:
        text = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = json.loads(text)
        return float(claims.get("exp", math.inf))
    except (IndexError, ValueError, binascii.Error, AttributeError, TypeError):
        return math.inf


def _token_in(file: Path) -> Credential:
    try:
        return Credential("token", str(file), token_end(file.read_text().strip()))
    except (OSError, UnicodeDecodeError) as error:
        return Credential("token", str(file), error=_reason(error))


def _proxy_in(file: Path) -> Credential:
    """A proxy ends when the first of its chain of certificates does."""
    from cryptography import x509

    try:
        chain = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError) as error:
        return Credential("proxy", str(file), error=_reason(error))
    return Credential("proxy", str(file), min(_end_of(one) for one in chain))


def _end_of(certificate: Any) -> float:
    return float(certificate.not_valid_after_utc.timestamp())


def _keys_in(file: Path, profile: str) -> Credential:
    """Temporary keys, of which many tools note the end beside them."""
    source = f"{file} [{profile}]"
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(file.read_text())
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        return Credential("S3 credentials", source, error=_reason(error))
    if not parser.has_section(profile):
        return Credential("S3 credentials", source, error="no such profile")
    ends = ("expiration", "x_security_token_expires", "aws_expiration")
    moments = [parser.get(profile, name) for name in ends if parser.has_option(profile, name)]
    return Credential("S3 credentials", source, min(map(_moment, moments), default=math.inf))


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return math.inf
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _reason(error: BaseException) -> str:
    """What is wrong with a file, never what is in it."""
    return getattr(error, "strerror", None) or "not what it should be"


def _duration(seconds: float) -> str:
    """Words for a time: minutes below two hours, hours below two days, days."""
    if seconds < 2 * HOUR:
        return f"{seconds / 60:.0f} minutes"
    if seconds < 48 * HOUR:
        return f"{seconds / HOUR:.0f} hours"
    return f"{seconds / 24 / HOUR:.0f} days"
