"""Parts of a URL, without asking any store."""

from __future__ import annotations

import os
import re
import socket
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from spectrum_workflows.credentials import found_in
from spectrum_workflows.errors import DataError, StoreError
from spectrum_workflows.storage.options import current_stores

LOCAL = ("file", "local")
"""Schemes of this machine's file systems."""

_USER = re.compile(r"(?<=:)//[^/@]*@")
"""User, and perhaps password, before the host of a URL."""


def scheme_of(url: str) -> str:
    """The scheme, in lower case; ``file`` for a path."""
    return url.partition("://")[0].lower() if "://" in url else "file"


def is_local(url: str) -> bool:
    """Whether the URL is a path of this machine's file systems, or is read from one here."""
    return scheme_of(current_stores().nearest(url)) in LOCAL


def join(root: str, name: str) -> str:
    """A name resolved against a root; URLs and absolute paths stay as they are."""
    if "://" in name or PurePath(name).is_absolute():
        return absolute(name)
    scheme, mark, path = absolute(root).rpartition("://")
    return f"{scheme}{mark}{path.rstrip('/')}{_gap(root)}{name}" if path else f"{root}{name}"


def below(root: str, name: str) -> str:
    """The URL of data below a data root, whose names may be those of a catalogue.

    As `join`, but a name that begins with a slash belongs to an XRootD server
    where the root is one: ``/store/...``, as DAS prints it, below
    ``root://HOST`` is ``root://HOST//store/...``.
    """
    if scheme_of(root) == "root" and name.startswith("/"):
        return join(root, name.lstrip("/"))
    return join(root, name)


def absolute(url: str) -> str:
    """A URL of an XRootD server with the two slashes that its paths begin with.

    ``root://HOST/path`` would be a relative path, which servers refuse and
    nobody means.
    """
    if scheme_of(url) != "root":
        return url
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}//{path.lstrip('/')}" if slash else url


def same_place(url: str) -> str:
    """A text that URLs of one place share, as far as can be told without asking anybody.

    Of a local file it is the file itself, whatever link leads to it.
    """
    if not is_local(url):
        scheme, _, rest = url.partition("://")
        host, _, path = rest.partition("?")[0].partition("/")
        steps = "/".join(step for step in path.split("/") if step not in ("", "."))
        return f"{scheme.lower()}://{host.lower()}/{steps}"
    here = local_path(url)
    try:
        status = here.stat()
    except (OSError, ValueError):
        return os.path.normpath(here.absolute())
    return f"device {status.st_dev} inode {status.st_ino}"


def _gap(root: str) -> str:
    """What stands between a root and a name below it."""
    bare = scheme_of(root) == "root" and not root.partition("://")[2].partition("/")[2].strip("/")
    return "//" if bare else "/"


def shown(url: str) -> str:
    """A URL without what may be secret in it: a password, a signed query."""
    if is_local(url):
        return url
    return _USER.sub("//", url.partition("?")[0], count=1)


def check_no_password(url: str) -> None:
    """Refuse a URL that would carry a secret into specs, task graphs and records.

    A password, or a query that is signed or holds a token; other queries may be
    part of a file's name.

    Raises
    ------
    DataError
        It holds one.
    """
    match = _USER.search(url) if not is_local(url) else None
    if match and ":" in match[0]:
        raise DataError(
            "there is a password in this URL",
            shown(url),
            "leave it to the library's own chain (environment, netrc, token file)",
        )
    if not is_local(url) and (kind := found_in(url)):
        raise DataError(
            f"this URL holds {kind}, which records and logs would show",
            shown(url),
            "name the file without it, and a token_file in the profile's [storage]",
        )


def check_redirect(url: str, target: str) -> None:
    """Refuse a server's order to go on where it has no business to send anybody.

    Raises
    ------
    StoreError
        From https to something less, or into the reader's own machine or network.
    """
    allowed = {"https": ("https",), "http": ("http", "https")}.get(scheme_of(url), ())
    if scheme_of(target) not in allowed:
        fault = f"it sends readers to another scheme, {scheme_of(target)}"
    elif _is_private(target) and not _is_private(url):
        fault = f"it sends readers to an address of their own network, {urlsplit(target).hostname}"
    else:
        return
    raise StoreError(fault, shown(url), "ask its keepers, or take another copy")


def _is_private(url: str) -> bool:
    """Whether the host is plainly this machine or its network; names are not looked up."""
    host = (urlsplit(url).hostname or "").removesuffix(".")
    with suppress(OSError):  # an address of IPv4, in fewer numbers or in hexadecimal ones too
        host = socket.inet_ntoa(socket.inet_aton(host))
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


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
    url = current_stores().nearest(url)
    return Path(url.partition("://")[2] if "://" in url else url).expanduser()
