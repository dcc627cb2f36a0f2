"""The fsspec file system that a URL means, with the options of its store.

What a site profile may say in ``[storage."PREFIX"]`` besides the file
system's own options:

======================  =========  ==================================================
name                    schemes    meaning
======================  =========  ==================================================
``timeout``             all        seconds without an answer (10)
``patience``            all        seconds in which what may pass is tried again (20)
``slowest``             all        bytes a second below which an answer is given up (100 kB)
``concurrency``         s3         requests at a time (32)
``ca_file``             s3, https  certificate authorities to trust
``credential_file``     s3         a file like ``~/.aws/credentials``; see ``profile``
``region``              s3         region name
``token_file``          https      file with a bearer token
======================  =========  ==================================================
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import fsspec
from fsspec.core import url_to_fs

from spectrum_workflows.errors import DataError, MissingExtraError
from spectrum_workflows.storage.location import CONCURRENCY, TIMEOUT, Location, location_of
from spectrum_workflows.storage.urls import absolute, check_no_password, check_redirect

CONNECT = 5.0

ONCE = {"mode": "standard", "total_max_attempts": 1}
"""botocore is not to try again what `persist` does, with a limit in seconds."""

_EXTRAS = {"s3": "s3", "s3a": "s3", "root": "xrootd"}


def locate(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system and the path on it that a URL means.

    Raises
    ------
    DataError
        No file system is known for the URL's scheme, or it holds a password.
    MissingExtraError
        The one for it is not installed.
    """
    return open_filesystem(location_of(url))


def open_filesystem(place: Location) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system and the path on it that a location means; raises as `locate`."""
    check_no_password(place.url)
    try:
        options = _fsspec_options(place)
        if "config_kwargs" in options:
            options["config_kwargs"]["retries"] = ONCE
        fs, path = url_to_fs(absolute(place.url), **options)
    except ImportError as error:
        extra = _EXTRAS.get(place.scheme)
        if extra is None:
            raise DataError(f"cannot open this kind of URL: {error}", place.shown) from error
        raise MissingExtraError(
            f"{place.scheme}:// cannot be opened",
            place.shown,
            f"pip install 'spectrum-workflows[{extra}]'",
        ) from error
    except ValueError as error:
        raise DataError(f"cannot open this kind of URL: {error}", place.shown) from error
    if "config_kwargs" in options:
        fs.retries = 1
    return fs, path


def filesystem_options(url: str) -> dict[str, Any]:
    """The keyword arguments of the fsspec file system for a URL, here and now.

    They hold no secret, only the names of files that do.  A reader that made a file
    system of them by itself would be without the limits in time that `persist` keeps:
    all of ours, Zarr's as well, read through `storage`.
    """
    return _fsspec_options(location_of(url))


def _fsspec_options(place: Location) -> dict[str, Any]:
    options = dict(place.options)
    for ours in ("patience", "slowest"):
        options.pop(ours, None)
    make = _MAKERS.get(place.scheme)
    return options if make is None else make(options)


def forget(fs: fsspec.AbstractFileSystem) -> None:
    """Let the next `locate` make this file system anew, and with it its credentials."""
    type(fs)._cache.pop(getattr(fs, "_fs_token_", None), None)


def _s3(options: dict[str, Any]) -> dict[str, Any]:
    config = {
        "connect_timeout": CONNECT,
        "read_timeout": options.pop("timeout", TIMEOUT),
        "max_pool_connections": int(options.pop("concurrency", CONCURRENCY)),
        "retries": {"mode": "standard", "total_max_attempts": 4},
        # Stores other than Amazon's know no checksums beside the signed body.
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }
    client = {"region_name": options.pop("region", None), "verify": options.pop("ca_file", None)}
    made = {
        "config_kwargs": config,
        "client_kwargs": {k: v for k, v in client.items() if v is not None},
        "use_listings_cache": False,
    }
    if file := options.pop("credential_file", None):
        path = str(Path(file).expanduser())
        made["session_vars"] = {"credentials_file": (None, None, path, None)}
    return made | options


def _http(options: dict[str, Any]) -> dict[str, Any]:
    named = ("timeout", "ca_file", "token_file")
    client = {name: options.pop(name) for name in named if name in options}
    options.pop("concurrency", None)
    return {"get_client": _http_client, "client_kwargs": client} | options


async def _http_client(
    *,
    loop: Any,
    timeout: float = TIMEOUT,
    ca_file: str | None = None,
    token_file: str | None = None,
) -> Any:
    """An aiohttp session; proxies and ``~/.netrc`` are found as its documentation says."""
    import aiohttp

    headers = {"Accept-Encoding": "identity"}  # bytes as they are stored
    if token_file is not None:
        token = Path(token_file).expanduser().read_text().strip()
        headers["Authorization"] = f"Bearer {token}"
    trust = ssl.create_default_context(
        cafile=None if ca_file is None else str(Path(ca_file).expanduser())
    )
    return aiohttp.ClientSession(
        loop=loop,
        headers=headers,
        trust_env=token_file is None,
        connector=aiohttp.TCPConnector(ssl=trust),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=timeout),
        trace_configs=[_watched_redirects()],
    )


def _watched_redirects() -> Any:
    """Have aiohttp ask before it follows a server to somewhere else; it does so ten times at most.

    It takes no credentials along to another host.
    """
    import aiohttp

    async def ask(_session: Any, _context: Any, params: Any) -> None:
        target = params.response.headers.get("Location") or params.response.headers.get("URI")
        check_redirect(str(params.url), str(params.url.join(type(params.url)(target or ""))))

    config = aiohttp.TraceConfig()
    config.on_request_redirect.append(ask)
    return config


def _root(options: dict[str, Any]) -> dict[str, Any]:
    _notice_soon()
    options.pop("concurrency", None)
    timeout = int(options.pop("timeout", TIMEOUT))
    return {"timeout": timeout, "use_listings_cache": False} | options


@cache
def _notice_soon() -> None:
    """Let XRootD's client try again soon after a failure; its own ``XRD_`` variables go first.

    It would wait two minutes before it connects again, and half an hour after
    it has given a server up.
    """
    from XRootD import client

    settings = {"ConnectionWindow": 5, "ConnectionRetry": 2, "StreamErrorWindow": 1}
    for name, value in settings.items():
        client.EnvPutInt(name, value)


_MAKERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "s3": _s3,
    "s3a": _s3,
    "http": _http,
    "https": _http,
    "root": _root,
}
