"""Places of a proof: stores that hold the data, and the rows of site and store."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from spectrum_workflows import storage
from spectrum_workflows.datasets import convert_data, converter_of
from spectrum_workflows.errors import DataNotFoundError, SpecError
from spectrum_workflows.sites.profile import Site
from spectrum_workflows.specs import read_toml

FILE = "file"
"""The store that is always there: the proof's own folder."""
KEYS = {"data", "upload", "notebooks", "storage"}


@dataclass(frozen=True)
class DataStore:
    """A place that holds the proof's data.

    Attributes
    ----------
    name : str
        As the table shows it.
    data, upload : str
        Its data root, and the same place as a URL that can be written to.
    notebooks : tuple of str
        Patterns of short names, FOLDER/NAME: which notebooks can read from it.
    options : dict
        ``[storage]`` of a site profile.
    """

    name: str
    data: str
    upload: str
    notebooks: tuple[str, ...] = ("*",)
    options: dict[str, dict[str, Any]] = field(default_factory=dict)

    def serves(self, notebook: str) -> bool:
        """Whether a notebook, by its short name, can read from here."""
        return any(fnmatchcase(notebook, pattern) for pattern in self.notebooks)


@dataclass(frozen=True)
class Where:
    """One row to be: a notebook, by its short name, a site and a store."""

    notebook: str
    site: str
    store: str


def read_stores(file: str) -> list[DataStore]:
    """Read a TOML file with one table per store.

    ``[NAME]`` holds ``data`` and, where that cannot be written to, ``upload``;
    ``notebooks`` where not all can read from it; and
    ``[NAME.storage."PREFIX"]`` what a site profile would say.

    Raises
    ------
    DataNotFoundError
        There is no such file.
    SpecError
        It is of another form, or holds a credential.
    """
    try:
        content = Path(file).read_bytes()
    except OSError:
        raise DataNotFoundError("no such file of stores", file) from None
    return [_store(name, table, file) for name, table in read_toml(content, where=file).items()]


def _store(name: str, table: Any, file: str) -> DataStore:
    where = f"{file}, [{name}]"
    if not isinstance(table, dict) or "data" not in table or table.keys() - KEYS or name == FILE:
        known = ", ".join(sorted(KEYS - {"data"}))
        raise SpecError("not a store", where, f"it needs data, and may have {known}")
    options = table.get("storage", {})
    try:
        Site(data=table["data"], results="", storage=options)
    except ValidationError as error:
        raise SpecError(error.errors()[0]["msg"], where) from None
    data, notebooks = str(table["data"]), tuple(table.get("notebooks", ["*"]))
    return DataStore(name, data, str(table.get("upload", data)), notebooks, options)


def rows(
    notebooks: Sequence[str], sites: Sequence[str], stores: Sequence[DataStore]
) -> list[Where]:
    """Every notebook at every site with every store that serves it, the reference first."""
    return [
        Where(notebook, site, store.name)
        for notebook in notebooks
        for store in stores
        if store.serves(notebook)
        for site in sites
    ]


def covering(full: Sequence[Where], *, times: int = 2) -> list[Where]:
    """A small choice of rows, in the same order.

    Every site and every store is in it at least so many times, every notebook
    at every site at least once, and the first row of each notebook.

    Parameters
    ----------
    full : sequence of Where
        From `rows`.
    times : int
        Less where there are fewer rows of a site or store.
    """
    firsts = {where.notebook: where for where in reversed(full)}
    chosen = {*firsts.values()}
    while gains := {where: _gain(where, chosen, times) for where in full if where not in chosen}:
        best = max(gains, key=lambda where: gains[where])  # the first of the best
        if not gains[best]:
            break
        chosen.add(best)
    return [where for where in full if where in chosen]


def _gain(where: Where, chosen: set[Where], times: int) -> int:
    """How many wishes one more row fulfils."""
    sites, stores = Counter(w.site for w in chosen), Counter(w.store for w in chosen)
    new = not any((w.notebook, w.site) == (where.notebook, where.site) for w in chosen)
    return (sites[where.site] < times) + (stores[where.store] < times) + new


def upload(folder: Path, sets: Iterable[Path], store: DataStore) -> None:
    """Copy the files of a local data root to a store, and sets in the form that stores hold.

    Raises
    ------
    OutputError
        The store cannot be written to.
    """
    stores = Site(data="", results="", storage=store.options).stores
    with storage.using(stores):
        for path in sorted(path for path in folder.iterdir() if path.is_file()):
            storage.put_file(path, storage.join(store.upload, path.name))
    for path in sets:
        target = path.stem + converter_of(str(path)).target
        url = storage.join(store.upload, target)
        convert_data(str(path), url, stores=stores, overwrite=True)


def profile(parent: str, results: str, store: DataStore) -> str:
    """A site profile that differs from the site's own in its roots, stores and ledger alone."""
    keys = {"extends": parent, "data": store.data, "results": results}
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    lines += ["", "[ledger]", "enabled = false"]  # every row computes everything
    for prefix, options in store.options.items():
        lines += ["", f"[storage.{json.dumps(prefix)}]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in options.items()]
    return "\n".join(lines) + "\n"
