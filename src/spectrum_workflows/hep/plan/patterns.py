"""Patterns in names of files: ``*``, ``?`` and ``[...]``, within one folder's names each."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, DataNotFoundError
from spectrum_workflows.hep.spec.samples import SEVERAL

CANNOT_LIST = ("http://", "https://")
"""Schemes of stores that cannot list their folders."""


def is_pattern(name: str) -> bool:
    """Whether a name in a spec is a pattern; brackets of a host, or a query's ``?``, make none."""
    path = name.removeprefix(_host(name))
    if name.lower().startswith(CANNOT_LIST):
        return "*" in path.partition("?")[0]
    return any(mark in path for mark in SEVERAL)


def root_of(url: str, name: str) -> str:
    """The part of a URL that is no pattern, whatever is in it: the data root's, the host."""
    own = name.lstrip("/")
    return url.removesuffix(own) if "://" not in name and url.endswith(own) else _host(url)


def matching_files(pattern: str, root: str = "") -> list[str]:
    """Files that fit a pattern, sorted: ``*``, ``?`` and ``[...]`` within one folder's names.

    Names that begin with a dot fit only a pattern that does.

    Parameters
    ----------
    pattern : str
        A URL.
    root : str
        The beginning of it that is no pattern.

    Raises
    ------
    DataError
        The store cannot list, or there is a ``**``.
    DataNotFoundError
        No file fits.
    """
    shown = storage.shown(pattern)
    if pattern.lower().startswith(CANNOT_LIST):
        remedy = 'name the files, or a list of names: files = ["@LIST"]'
        raise DataError("a pattern needs a store that can list its folders", shown, remedy)
    rest = pattern[len(root) :].split("/")
    if "**" in rest:
        raise DataError("a pattern cannot hold **", shown, "write one * per folder")
    level = next(n for n, part in enumerate(rest) if any(mark in part for mark in SEVERAL))
    folders = [root + "/".join([*rest[:level], ""])]
    for part in rest[level:-1]:
        folders = [f"{f}{name}/" for f in folders for name in _inside(f, part, folders=True)]
    files = sorted(f"{f}{name}" for f in folders for name in _inside(f, rest[-1], folders=False))
    if not files:
        remedy = "check the pattern, or say where the data is: --data, or connect(site, data=...)"
        raise DataNotFoundError("no file fits this pattern", shown, remedy)
    return files


def _host(url: str) -> str:
    """Scheme and host of a URL, whose brackets are no pattern; empty for a path."""
    return "/".join([*url.split("/", 3)[:3], ""]) if "://" in url else ""


def _inside(folder: str, pattern: str, *, folders: bool) -> list[str]:
    """Names of the files, or of the folders, in a folder that fit a pattern."""
    try:
        rows = storage.persist(folder or ".", _listed)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except NotImplementedError:
        remedy = 'name the files, or a list of names: files = ["@LIST"]'
        message = "a pattern needs a store that can list its folders"
        raise DataError(message, storage.shown(folder), remedy) from None
    names = [
        row["name"].rstrip("/").rpartition("/")[2] for row in rows if _is_folder(row) == folders
    ]
    hidden = pattern.startswith(".")
    return [n for n in names if n and fnmatchcase(n, pattern) and n.startswith(".") <= hidden]


def _listed(fs: Any, path: str) -> list[dict[str, Any]]:
    """What is in a folder; of a file there would be the file itself."""
    rows: list[dict[str, Any]] = fs.ls(path, detail=True)
    return [row for row in rows if row["name"].strip("/") != path.strip("/")]


def _is_folder(row: dict[str, Any]) -> bool:
    followed = bool(row.get("islink")) and Path(row["name"]).is_dir()
    return row["type"] == "directory" or followed
