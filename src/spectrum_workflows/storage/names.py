"""What a URL says by itself, without asking anybody."""

from __future__ import annotations

from pathlib import Path, PurePath
from urllib.parse import urlsplit, urlunsplit

from spectrum_workflows.errors import DataError


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
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


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
