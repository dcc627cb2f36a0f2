"""Files and replicas of a data set in Rucio, through its own client.

The client finds server, account and credentials as it always does (``rucio.cfg``, proxies,
tokens).  Not run against a real Rucio; the tests parse answers of its documented form.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from spectrum_workflows import storage
from spectrum_workflows.catalogue.data_set_types import DataSetFile, file_of, not_understood
from spectrum_workflows.errors import (
    AccessError,
    DataError,
    DataNotFoundError,
    MissingExtraError,
    StoreError,
)
from spectrum_workflows.storage.urls import absolute, check_no_password, scheme_of

SCHEMES = ("root", "davs", "https")
"""Of replicas that `storage` reads; davs is WebDAV over https."""


def files(scope: str, name: str, where: str) -> list[DataSetFile]:
    """Ask Rucio for the files of a data set, and for their replicas on disk.

    Parameters
    ----------
    scope, name : str
        Of a data set, a container or a file.
    where : str
        The reference in the spec, for errors.

    Raises
    ------
    MissingExtraError
        The client is not installed.
    DataNotFoundError
        There is no such data set.
    AccessError
        The client is not configured, or Rucio does not let us in.
    StoreError
        Rucio does not answer.
    DataError
        It answers what cannot be understood.
    """
    try:
        from rucio.client import Client
        from rucio.common import exception
    except ImportError:
        remedy = "pip install 'spectrum-workflows[rucio]', or list the files: files = [\"@LIST\"]"
        raise MissingExtraError("rucio-clients is not installed", where, remedy) from None
    did = {"scope": scope, "name": name}
    try:
        client = Client()
        listed = list(client.list_files(scope, name))
        replicas = list(
            client.list_replicas([did], schemes=list(SCHEMES), ignore_availability=False)
        )
    except (exception.DataIdentifierNotFound, exception.ScopeNotFound):
        remedy = "check scope and name: rucio did show SCOPE:NAME"
        raise DataNotFoundError("Rucio knows no such data set", where, remedy) from None
    except (
        exception.CannotAuthenticate,
        exception.AccessDenied,
        exception.MissingClientParameter,
        exception.ConfigNotFound,
        exception.ConfigurationError,
        exception.ClientParameterMismatch,
        exception.NoAuthInformation,
    ) as error:
        remedy = "rucio whoami says what is missing: rucio.cfg, an account, a proxy or a token"
        raise AccessError(f"Rucio does not let us in ({_line(error)})", where, remedy) from None
    except Exception as error:  # the client raises what its libraries raise
        remedy = "rucio ping says whether it answers; try again later"
        raise StoreError(f"Rucio does not answer ({_line(error)})", where, remedy) from None
    return combined(listed, replicas, where)


def combined(
    listed: Iterable[Mapping[str, Any]], replicas: Iterable[Mapping[str, Any]], where: str
) -> list[DataSetFile]:
    """The files of a data set with their replicas, from the two answers of the client.

    A file of the list without a replica stays, without any.

    Raises
    ------
    DataError
        A row has no scope or name, or the two answers contradict each other.
    """
    known: dict[str, DataSetFile] = {}
    for row in listed:
        file = file_of(row, _did(row, where), "events", where)
        if known.setdefault(file.name, file) != file:
            raise not_understood(where, f"{file.name} is listed twice, and differs")
    for row in replicas:
        name = _did(row, where)
        if name not in known:
            raise not_understood(where, f"there is a replica of {name}, which is not in the list")
        size = file_of(row, name, "events", where).size
        if None not in (size, known[name].size) and size != known[name].size:
            message = f"{name} has {known[name].size} bytes, and {size} in its replicas"
            raise not_understood(where, message)
        urls = tuple(dict.fromkeys((*known[name].replicas, *_readable(row, name, where))))
        known[name] = replace(known[name], replicas=urls)
    return list(known.values())


def _did(row: Mapping[str, Any], where: str) -> str:
    if not isinstance(row, Mapping) or not all(
        isinstance(row.get(key), str) and row[key] for key in ("scope", "name")
    ):
        raise not_understood(where, "a row without scope and name")
    return f"{row['scope']}:{row['name']}"


def _readable(row: Mapping[str, Any], name: str, where: str) -> list[str]:
    """URLs of the replicas on disk that `storage` reads, in the order of Rucio's priorities."""
    places = row.get("pfns")
    if not isinstance(places, Mapping):
        raise not_understood(where, f"no pfns of {name}")
    wanted: list[tuple[int, str]] = []
    for url, place in places.items():
        if not isinstance(place, Mapping):
            raise not_understood(where, f"no description of {storage.shown(url)}")
        if place.get("type", "DISK") != "DISK" or place.get("client_extract"):
            continue  # on tape, or inside an archive
        if scheme_of(url) not in SCHEMES or _is_secret(url):
            continue
        priority = place.get("priority")
        rank = priority if isinstance(priority, int) else len(places) + 1
        wanted.append((rank, _as_read(url)))
    return [url for _, url in sorted(wanted)]


def _as_read(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return absolute(f"{'https' if scheme.lower() == 'davs' else scheme.lower()}://{rest}")


def _is_secret(url: str) -> bool:
    """Whether a URL is signed or holds a password: records and logs would show it."""
    try:
        check_no_password(url)
    except DataError:
        return True
    return False


def _line(error: Exception) -> str:
    """The first line of an error of the client."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].strip()[:200]}" if lines else type(error).__name__
