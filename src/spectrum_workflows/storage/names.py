"""What a URL says by itself, without asking anybody."""

from __future__ import annotations

import re
from pathlib import Path, PurePath

from spectrum_workflows.errors import DataError

_USER = re.compile(r"(?<=:)//[^/@]*@")
"""User, and perhaps password, before the host of a URL."""


def scheme_of(url: str) -> str:
    """The scheme, in lower case; ``file`` for a path."""
    return url.partition("://")[0].lower() if "://" in url else "file"


def is_local(url: str) -> bool:
    """Whether the URL is a path of this machine's file systems."""
    return scheme_of(url) in ("file", "local")


def join(root: str, name: str) -> str:
    """A name resolved against a root; URLs and absolute paths stay as they are."""
    if "://" in name or PurePath(name).is_absolute():
        return name
    return f"{root.rstrip('/')}/{name}" if root else name


def shown(url: str) -> str:
    """A URL without what may be secret in it: a password, a signed query."""
    if is_local(url):
        return url
    return _USER.sub("//", url.partition("?")[0], count=1)


def check_no_password(url: str) -> None:
    """Refuse a URL that would carry a password into specs, task graphs and records.

    Raises
    ------
    DataError
        It holds one.
    """
    found = _USER.search(url) if not is_local(url) else None
    if found and ":" in found[0]:
        raise DataError(
            "there is a password in this URL",
            shown(url),
            "leave it to the library's own chain (environment, netrc, token file)",
        )


def local_path(url: str) -> Path:
    """The path of a local file, for libraries that read nothing else.

    Raises
    ------
    DataError
        The URL is remote.
    """
    if not is_local(url):
        raise DataError(
            "this format is read from local file systems only",
            shown(url),
            "convert it to Zarr or stage it",
        )
    return Path(url.partition("://")[2] if "://" in url else url).expanduser()
